#!/usr/bin/env bash
# djlint --reformat removes the blank after a {% for %} tag outside a tag of HTML: attributes made there run together.
# Met by whoever builds attributes in a {% set %} block: the page changes, and neither --check nor --lint says why.
# djlint 1.49.9, Jinja2 3.1.6, 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q "djlint==1.49.9" "jinja2==3.1.6"
cat > "$folder/page.html" <<'HTML'
{% set attributes %}
    id="a"
    {%- for name, value in more %} {{ name }}="{{ value }}"{% endfor %}
{% endset %}
<p {{ attributes | trim }}>text</p>
HTML
cat > "$folder/render.py" <<'PY'
import sys
from pathlib import Path

from jinja2 import Environment

template = Environment().from_string(Path(sys.argv[1]).read_text())
print(template.render(more=[("lang", "en"), ("dir", "auto")]).strip())
PY
before=$("$folder/venv/bin/python" "$folder/render.py" "$folder/page.html")
"$folder/venv/bin/djlint" --reformat --quiet "$folder/page.html" || true
after=$("$folder/venv/bin/python" "$folder/render.py" "$folder/page.html")
"$folder/venv/bin/djlint" --version
echo "before: $before"
echo "after:  $after"
[ "$before" = '<p id="a" lang="en" dir="auto">text</p>' ] && [ "$after" = '<p id="a"lang="en"dir="auto">text</p>' ]

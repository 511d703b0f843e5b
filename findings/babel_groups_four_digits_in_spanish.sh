#!/usr/bin/env bash
# Numbers of four digits are grouped in Spanish, "2.000": CLDR's minimum of two grouping digits for es is not applied.
# Met by whoever prints limits, years or quantities to Spanish readers; browsers' Intl.NumberFormat("es") gives 2000.
# Babel 2.19.0, 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q "babel==2.19.0"
cat > "$folder/spanish.py" <<'PY'
from babel.numbers import format_decimal

for locale in ("es", "es_MX", "de"):
    print(locale, *(format_decimal(number, locale=locale) for number in (2000, 20000)))
PY
"$folder/venv/bin/python" -c "from importlib.metadata import version; print('Babel', version('babel'))"
seen=$("$folder/venv/bin/python" "$folder/spanish.py")
echo "$seen"
[ "$seen" = "es 2.000 20.000
es_MX 2,000 20,000
de 2.000 20.000" ]

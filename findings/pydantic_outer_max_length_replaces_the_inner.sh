#!/usr/bin/env bash
# A wider max_length around an Annotated str with a narrower one replaces it: the text is not held to both.
# Met by whoever builds types on types, such as a long id on a short one, and expects constraints to add up.
# pydantic 2.14.3, 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q "pydantic==2.14.3"
"$folder/venv/bin/python" - <<'PY'
import sys
from typing import Annotated

import pydantic
from pydantic import StringConstraints, TypeAdapter, ValidationError

Short = Annotated[str, StringConstraints(max_length=5)]
Wider = Annotated[Short, StringConstraints(max_length=10)]
Narrower = Annotated[Annotated[str, StringConstraints(max_length=10)], StringConstraints(max_length=5)]


def is_accepted(kind: object, text: str) -> bool:
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError:
        return False
    return True


seen = {
    "8 characters, 5 inside 10": is_accepted(Wider, "a" * 8),
    "8 characters, 10 inside 5": is_accepted(Narrower, "a" * 8),
    "11 characters, 5 inside 10": is_accepted(Wider, "a" * 11),
}
print("pydantic", pydantic.VERSION)
for what, accepted in seen.items():
    print(f"{what}: {'accepted' if accepted else 'refused'}")
sys.exit(list(seen.values()) != [True, False, False])
PY

#!/bin/sh
# `make` runs this to install a requirements file into .venv. It prints one line, and all there is to know of a failure.
requirements=$1
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

fail() {
  { cat "$log"; echo; printf '%s\n' "$@"; } >&2
  exit 1
}

for python in python3 python3.14 python3.13 python3.12 python3.11 python ''; do
  [ -n "$python" ] && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
done
[ -n "$python" ] || fail "Foyer needs Python 3.11 or later. Found: $(python3 --version 2>&1)" \
  "Install it, for example from https://www.python.org/downloads/ or with: sudo apt-get install python3 python3-venv"

echo "Installing what Foyer needs into .venv (700 MB). The first time, this takes about a minute ..."
"$python" -m venv .venv >"$log" 2>&1 || fail "Python could not make .venv, for the reason above." \
  "On Debian and Ubuntu, install what is missing with: sudo apt-get install python3-venv"

# pip reads its own configuration of mirrors, which uv does not know. Without --python, uv would empty another virtual
# environment, if one is active.
.venv/bin/python -m pip install uv >>"$log" 2>&1 &&
  .venv/bin/uv pip sync --python .venv/bin/python --require-hashes "$requirements" >>"$log" 2>&1 ||
  .venv/bin/python -m pip install -r "$requirements" >>"$log" 2>&1 ||
  fail "The packages of $requirements could not be installed, for the reason above." \
    "This needs an internet connection to https://pypi.org. Behind a proxy, set HTTPS_PROXY; with a mirror, set" \
    "PIP_INDEX_URL. Then run make again: it continues where it stopped."

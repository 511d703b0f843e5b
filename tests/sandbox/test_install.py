"""`make` installs in silence, and a failure says what to do."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
INSTALL = ROOT / "sandbox" / "install.sh"
NAMES = ("python3", "python3.14", "python3.13", "python3.12", "python3.11", "python")
TOO_OLD = """#!/bin/sh
[ "$1" = --version ] && echo "Python 3.9.6"
exit 1
"""
# Debian's Python without the package python3-venv. The check of the version passes.
WITHOUT_VENV = """#!/bin/sh
[ "$1" = -c ] && exit 0
echo "The virtual environment was not created successfully because ensurepip is not available."
exit 1
"""
# Makes a .venv whose programs write down how they were called, and are loud.
INSTALLS = """#!/bin/sh
[ "$1" = -c ] && exit 0
mkdir -p .venv/bin
for name in python uv; do
  printf '#!/bin/sh\\necho "$0 $*" | tee -a calls\\n' >.venv/bin/$name
  chmod +x .venv/bin/$name
done
"""


def run_install(folder: Path, *names: str, python: str = "", **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run the script in the folder; with `python`, each of these names is a program with that text."""
    programs = folder / "programs"
    programs.mkdir()
    for name in names:
        (programs / name).write_text(python)
        (programs / name).chmod(0o755)
    (folder / "requirements.txt").write_text("flask==3.1.0\n")
    env = {"PATH": f"{programs}:{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder), **settings}
    command = ["sh", str(INSTALL), "requirements.txt"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_python_that_is_too_old_is_named_with_what_to_install(tmp_path: Path) -> None:
    result = run_install(tmp_path, *NAMES, python=TOO_OLD)

    assert result.returncode == 1
    assert "Foyer needs Python 3.11 or later. Found: Python 3.9.6" in result.stderr
    assert "https://www.python.org/downloads/" in result.stderr
    assert result.stdout == ""


def test_missing_venv_shows_the_reason_and_the_package(tmp_path: Path) -> None:
    result = run_install(tmp_path, "python3", python=WITHOUT_VENV)

    assert result.returncode == 1
    assert "ensurepip is not available" in result.stderr
    assert "sudo apt-get install python3-venv" in result.stderr


def test_missing_network_shows_the_reason_and_what_to_set(tmp_path: Path) -> None:
    offline = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:1/", "PIP_RETRIES": "1"}

    result = run_install(tmp_path, **offline)

    assert result.returncode == 1
    assert "Connection refused" in result.stderr
    assert "Behind a proxy, set HTTPS_PROXY; with a mirror, set" in result.stderr
    assert result.stdout.count("\n") == 1
    assert "takes about a minute" in result.stdout


def test_installing_prints_one_line_and_leaves_other_environments(tmp_path: Path) -> None:
    result = run_install(tmp_path, "python3", python=INSTALLS, VIRTUAL_ENV="/home/ada/other")

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1
    assert (tmp_path / "calls").read_text().splitlines() == [
        ".venv/bin/python -m pip install uv",
        ".venv/bin/uv pip sync --python .venv/bin/python --require-hashes requirements.txt",
    ]

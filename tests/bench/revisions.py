"""What is measured: the code of the working tree or of an earlier commit, each in an environment like the image's."""

import subprocess
import sys
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from tests.support.processes import ROOT

# In every commit, while `foyer` is newer than some.
FLASK_COMMAND = ["-m", "flask", "--app", "wsgi"]
UV = Path(sys.executable).with_name("uv")


@dataclass(frozen=True)
class Revision:
    """A folder with Foyer's code, and the Python that runs it. `name` heads its column in the table."""

    name: str
    root: Path
    python: str


def running() -> Revision:
    """Return the working tree in this process's environment, which has more in it than the image's."""
    return Revision("now", ROOT, sys.executable)


def working_tree(folder: Path) -> Revision:
    """Return the working tree in a new environment in the folder."""
    return Revision("now", ROOT, _install(ROOT, folder / "environment-now"))


def check_out(commit: str, folder: Path) -> Revision:
    """Return the commit, checked out in the folder, in a new environment of its own."""
    name, root = short_hash(commit), folder / "checkout"
    extract(commit, root)
    python = _install(root, folder / "environment-then")
    # As in the image: the first start would compile everything.
    subprocess.run([python, "-m", "compileall", "-q", "app", "wsgi.py"], cwd=root, check=True, capture_output=True)
    return Revision(name, root, python)


def short_hash(commit: str) -> str:
    """Return the commit's abbreviated hash; SystemExit where this repository has no such commit."""
    command = ["git", "rev-parse", "--verify", "--short", "--end-of-options", f"{commit}^{{commit}}"]
    answer = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if answer.returncode:
        raise SystemExit(
            f"AGAINST={commit}: no such commit here; give one that `git log` lists.\n{answer.stderr.strip()}"
        )
    return answer.stdout.strip()


def extract(commit: str, root: Path) -> None:
    """Write the commit's files into the folder."""
    archive = subprocess.run(["git", "archive", "--end-of-options", commit], cwd=ROOT, check=True, capture_output=True)
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(root, filter="data")


def _install(root: Path, environment: Path) -> str:
    """Install the folder's requirements.txt into a new environment; return its Python."""
    python = str(environment / "bin" / "python")
    packages = ["install", "--quiet", "--require-hashes", "--requirement", str(root / "requirements.txt")]
    if UV.exists():
        subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, environment], check=True)
        subprocess.run([UV, "pip", *packages, "--python", python, "--compile-bytecode"], check=True)
    else:
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        subprocess.run([python, "-m", "pip", *packages], check=True)
    return python

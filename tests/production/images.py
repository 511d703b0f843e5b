"""Foyer's image as a folder: the files that the Dockerfile copies, and `foyer` in bin/."""

import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from app.services.operations import readiness
from tests.support.processes import ROOT

# As in the Dockerfile.
CONTENT = ("wsgi.py", "gunicorn.conf.py", "templates", "app")
MIGRATIONS = Path("app") / "migrations"
NEXT_MIGRATION = '''"""Adds a table, as the next release may."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{newest}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("made_by_the_next_release", sa.Column("id", sa.Integer(), primary_key=True))
    op.add_column("registrations", sa.Column("made_by_the_next_release", sa.String(8)))


def downgrade() -> None:
    op.drop_column("registrations", "made_by_the_next_release")
    op.drop_table("made_by_the_next_release")
'''
FAILING_PROGRAM = "#!/bin/sh\necho 'exec format error' >&2\nexit 1\n"
UNHEALTHY_SETTINGS = 'wsgi_app = "missing:app"\n'


@contextmanager
def open_folder() -> Iterator[Path]:
    """Yield a folder that the user of the PostgreSQL server may enter, and delete it."""
    with TemporaryDirectory(prefix="production") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def build(folder: Path) -> Path:
    """Return an image of this release."""
    folder.mkdir()
    for name in CONTENT:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / name)
    return _finish(folder)


def build_next(present: Path, folder: Path) -> Path:
    """Return an image of a release after this one: it has another migration."""
    shutil.copytree(present, folder, symlinks=True)
    newest = readiness.newest_revision()
    revision = f"{int(newest) + 1:04}"
    migration = NEXT_MIGRATION.format(revision=revision, newest=newest)
    (folder / MIGRATIONS / f"{revision}_next_release.py").write_text(migration)
    return folder


def build_of_commit(commit: str, folder: Path) -> Path:
    """Return an image of an earlier commit."""
    archive = subprocess.run(["git", "archive", commit, *CONTENT], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return _finish(folder)


def build_broken(present: Path, kind: str, folder: Path) -> Path:
    """Return an image of this release that does not work.

    `failing`: its `foyer` cannot be started, as that of another architecture. `unhealthy`: its migration succeeds, its
    web server ends.
    """
    shutil.copytree(present, folder, symlinks=True)
    if kind == "failing":
        program = folder / "bin" / "foyer"
        program.unlink()
        program.write_text(FAILING_PROGRAM)
        program.chmod(0o755)
    else:
        with (folder / "gunicorn.conf.py").open("a") as settings:
            settings.write(UNHEALTHY_SETTINGS)
    return folder


def is_history_available() -> bool:
    """Return whether the folder is a clone with its history."""
    asked = ["git", "rev-parse", "--is-shallow-repository"]
    answer = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    return answer.stdout.strip() == "false"


def commit_before_newest_migration() -> str:
    """Return the last commit whose code does not know the newest migration: the release before, without a tag."""
    [path] = (ROOT / MIGRATIONS).glob(f"{readiness.newest_revision()}_*.py")
    asked = ["git", "log", "--format=%H", "--diff-filter=A", "--", str(path.relative_to(ROOT))]
    added = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    asked = ["git", "rev-parse", f"{added[-1]}^"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def requirements_changed_since(commit: str) -> list[str]:
    """Return the libraries whose pinned version is another one than at that commit: both releases run with today's."""
    asked = ["git", "diff", commit, "HEAD", "--", "requirements.txt"]
    difference = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return re.findall(r"^\+([a-z][\w.\[\]-]*==[^ ;]+)", difference, re.MULTILINE)


def _finish(folder: Path) -> Path:
    """Write the bytecode, and add `foyer`."""
    subprocess.run([sys.executable, "-m", "compileall", "-q", "app", "wsgi.py"], cwd=folder, check=True)
    (folder / "bin").mkdir()
    # It takes the Python in the PATH: there is none beside it.
    (folder / "bin" / "foyer").symlink_to("../app/cli/foyer")
    return folder

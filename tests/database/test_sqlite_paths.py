"""Where SQLite's files are: none is made but by a migration, and links and relative paths lead to one place."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from app.database import sqlite_files, transactions
from app.models import Registration
from app.services.operations import readiness
from sandbox.server import Sandbox
from tests.cli.doctor.doctor_output import failed_checks, findings, run_doctor
from tests.conftest import migrate
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.outbox_messages import register_customer
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows

pytestmark = on_sqlite
SUFFIXES = ("", "-wal", "-shm", "-writer")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    path = tmp_path / "place"
    path.mkdir()
    return path


@contextmanager
def open_app(environment: pytest.MonkeyPatch, path: Path | str) -> Iterator[Flask]:
    environment.setenv("DATABASE_URL", f"sqlite:///{path}")
    with factories.open_app(create_app()) as app:
        yield app


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "command",
    [
        ["doctor"],
        ["status"],
        ["customer", "ada"],
        ["registrations", "list"],
        ["api-tokens", "create", "crm"],
        ["db", "current"],
        ["db", "stamp", "head", "--yes"],
        ["db", "after-restore"],
    ],
    ids=" ".join,
)
def test_command_on_a_missing_file_makes_none_and_says_what_to_run(
    environment: pytest.MonkeyPatch, folder: Path, command: list[str]
) -> None:
    with open_app(environment, folder / "folder" / "foyer.db") as app:
        result = app.test_cli_runner().invoke(args=command)

    assert result.exit_code == 1
    assert f"{folder}/folder/foyer.db does not exist" in result.output
    assert "`foyer db upgrade`" in result.output
    assert "Traceback" not in result.output
    assert names(folder) == set()


def test_web_process_makes_no_file_and_serves_once_there_is_one(
    environment: pytest.MonkeyPatch, sandbox: Sandbox, folder: Path
) -> None:
    file = folder / "foyer.db"
    with open_app(environment, file) as app:
        client = app.test_client()
        before = client.get("/readyz")
        landed = client.post("/", data={factories.TOKEN_FIELD: factories.token(sandbox)})
        sent = client.post("/signup", data={"csrf_token": csrf_token(client.get("/signup").text), **factories.ANSWERS})
        made = names(folder)
        migrate(f"sqlite:///{file}")
        after = client.get("/readyz")

    assert (before.status_code, before.text) == (503, f"{readiness.FILE_MISSING}\n")
    assert str(folder) not in before.text
    assert (landed.status_code, sent.status_code) == (303, 503)
    assert made == set()
    assert after.status_code == 200


def test_migration_makes_the_file_and_its_folder(environment: pytest.MonkeyPatch, folder: Path) -> None:
    file = folder / "new" / "folder" / "foyer.db"

    migrate(f"sqlite:///{file}")

    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("exists", [True, False], ids=["link to a file", "link to a file to be made"])
def test_link_keeps_all_files_private_and_beside_its_target(
    environment: pytest.MonkeyPatch, folder: Path, exists: bool
) -> None:
    target, link = folder / "disk" / "stored.db", folder / "foyer.db"
    link.symlink_to("disk/stored.db")
    before = os.umask(0o022)
    try:
        migrate(f"sqlite:///{target if exists else link}")
        with open_app(environment, link) as app:
            register_customer(app)
            found = names(folder)
            modes = {target.with_name(f"stored.db{suffix}").stat().st_mode & 0o777 for suffix in SUFFIXES}
            doctor = run_doctor()
    finally:
        os.umask(before)

    assert found == {"foyer.db", "disk", *(f"disk/stored.db{suffix}" for suffix in SUFFIXES)}
    assert modes == {0o600}
    assert findings(doctor)["database"][0] == "ok"


def test_doctor_finds_what_others_can_read_beside_a_links_target(environment: pytest.MonkeyPatch, folder: Path) -> None:
    target, link = folder / "disk" / "stored.db", folder / "foyer.db"
    link.symlink_to(target)
    migrate(f"sqlite:///{target}")
    with open_app(environment, link) as app:
        register_customer(app)
        files = [target.with_name(f"stored.db{suffix}") for suffix in SUFFIXES]
        for file in files:
            file.chmod(0o644)

        verdict, finding = findings(run_doctor())["database"]

    assert verdict == "warn"
    assert finding.endswith(f"Run: chmod 600 {' '.join(map(str, files))}")


def test_link_that_is_set_to_another_file_is_followed(environment: pytest.MonkeyPatch, folder: Path) -> None:
    first, second, link = folder / "first.db", folder / "second.db", folder / "foyer.db"
    link.symlink_to(first)
    for file in (first, second):
        migrate(f"sqlite:///{file}")
    with open_app(environment, link) as app:
        client = app.test_client()
        register_customer(app)
        link.unlink()
        without = client.get("/readyz").status_code
        link.symlink_to(second)
        ready = client.get("/readyz").status_code
        register_customer(app)

    assert (without, ready) == (503, 200)
    assert [count_registrations(environment, file) for file in (first, second)] == [1, 1]


def count_registrations(environment: pytest.MonkeyPatch, file: Path) -> int:
    with open_app(environment, file) as app:
        return len(all_rows(app, Registration))


def beside(folder: Path) -> str:
    return "foyer.db"


def above_a_linked_folder(folder: Path) -> str:
    (folder / "elsewhere" / "deep").mkdir(parents=True)
    (folder / "link").symlink_to("elsewhere/deep")
    return "link/../foyer.db"


@pytest.mark.parametrize("path", [beside, above_a_linked_folder])
def test_relative_path_starts_where_the_process_started(
    environment: pytest.MonkeyPatch, folder: Path, path: Callable[[Path], str]
) -> None:
    environment.chdir(folder)
    relative = path(folder)
    migrate(f"sqlite:///{relative}")
    with open_app(environment, relative) as app:
        environment.chdir("/")
        register_customer(app)
        ready = app.test_client().get("/readyz").status_code
        (folder / "foyer.db").chmod(0o644)
        with app.app_context():
            shared = sqlite_files.find_shared_files(transactions.current_database().read_engine)

    assert ready == 200
    assert shared == [folder / "foyer.db"]
    assert names(folder) >= {f"foyer.db{suffix}" for suffix in ("", "-writer")}


def test_relative_path_elsewhere_is_named_in_full(environment: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "other").mkdir()
    environment.chdir(folder)
    migrate("sqlite:///foyer.db")
    environment.setenv("DATABASE_URL", "sqlite:///foyer.db")
    environment.chdir(folder / "other")

    failures = failed_checks(run_doctor())

    assert f"{folder}/other/foyer.db does not exist" in failures["database"]
    assert names(folder / "other") == set()

"""SQLite's files hold what buyers typed: nobody else on the machine may read them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from app.database import sqlite_files, transactions
from tests.cli.doctor.doctor_output import failed_checks, findings, run_doctor
from tests.conftest import migrate
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.outbox_messages import register_customer

pytestmark = on_sqlite
SUFFIXES = ("", "-wal", "-shm", "-writer")


@pytest.fixture(params=[0o022, 0o000])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """The usual umask, and one that takes nothing away."""
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.fixture
def new_app(umask: None, environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Flask]:
    """An application on a database that did not exist before."""
    migrate(f"sqlite:///{tmp_path / 'new.db'}")
    environment.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    with factories.open_app(create_app()) as app:
        yield app


def modes(path: Path) -> dict[str, int]:
    files = {suffix: Path(f"{path}{suffix}") for suffix in SUFFIXES}
    return {suffix: file.stat().st_mode & 0o777 for suffix, file in files.items() if file.exists()}


def test_new_files_are_private(new_app: Flask, tmp_path: Path) -> None:
    register_customer(new_app)

    assert modes(tmp_path / "new.db") == dict.fromkeys(SUFFIXES, 0o600)
    with new_app.app_context():
        assert sqlite_files.find_shared_files(transactions.current_database().read_engine) == []
    assert findings(run_doctor())["database"][0] == "ok"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o666, 0o660, 0o602])
def test_doctor_tells_of_files_that_others_can_read(new_app: Flask, tmp_path: Path, mode: int) -> None:
    register_customer(new_app)
    for suffix in SUFFIXES:
        Path(f"{tmp_path / 'new.db'}{suffix}").chmod(mode)

    result = run_doctor()

    verdict, finding = findings(result)["database"]
    assert (verdict, failed_checks(result)) == ("warn", {})
    command = finding.partition("Run: ")[2]
    assert command == f"chmod 600 {' '.join(f'{tmp_path}/new.db{suffix}' for suffix in SUFFIXES)}"
    assert os.system(command) == 0  # noqa: S605  # what the operator is told to run
    assert findings(run_doctor())["database"][0] == "ok"

"""SQLite's file is taken away, or exchanged, under a running process: nothing is acknowledged into a lost file."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection

from app.database import transactions
from app.errors import DatabaseUnavailable
from app.models import Registration
from app.services.operations import readiness
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows

pytestmark = on_sqlite
SAVED, NOT_SAVED = 303, 503


@pytest.fixture
def database_file(database_url: str) -> Path:
    return Path(database_url.removeprefix("sqlite:///"))


def delete(file: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)


def rename(file: Path) -> None:
    file.rename(file.with_suffix(".old"))


def delete_folder(file: Path) -> None:
    shutil.rmtree(file.parent)


def exchange(file: Path) -> None:
    """Put a backup in the file's place, as `mv` does."""
    backup = file.with_suffix(".backup")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    delete(file)
    backup.rename(file)


def open_form(client: FlaskClient, sandbox: Sandbox) -> Callable[[], int]:
    """Open the form; return a function that sends it and returns the status."""
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    form = {"csrf_token": csrf_token(client.get("/signup").text), **ANSWERS}
    return lambda: client.post("/signup", data=form).status_code


@pytest.mark.parametrize("take_away", [delete, rename, delete_folder])
def test_registration_into_a_missing_file_is_not_acknowledged(
    app: Flask, client: FlaskClient, sandbox: Sandbox, database_file: Path, take_away: Callable[[Path], object]
) -> None:
    send_form = open_form(client, sandbox)
    before = client.get("/readyz").status_code

    take_away(database_file)
    sent = send_form()
    ready = client.get("/readyz")

    assert (before, sent, ready.status_code) == (200, NOT_SAVED, 503)
    assert ready.text == f"{readiness.FILE_TAKEN_AWAY}\n"
    assert not database_file.exists()


def test_file_that_is_put_back_is_used_without_a_restart(
    app: Flask, client: FlaskClient, sandbox: Sandbox, database_file: Path
) -> None:
    send_form = open_form(client, sandbox)
    rename(database_file)
    missing = client.get("/readyz").status_code, send_form()

    database_file.with_suffix(".old").rename(database_file)
    put_back = client.get("/readyz").status_code, send_form()

    assert (missing, put_back) == ((503, NOT_SAVED), (200, SAVED))
    assert len(all_rows(app, Registration)) == 1


def test_registration_after_an_exchange_is_in_the_new_file(
    app: Flask, client: FlaskClient, sandbox: Sandbox, database_file: Path
) -> None:
    send_form = open_form(client, sandbox)

    exchange(database_file)

    assert send_form() == SAVED
    with closing(sqlite3.connect(database_file)) as connection:
        [[count]] = connection.execute("SELECT count(*) FROM registrations").fetchall()
    assert count == 1


@pytest.mark.parametrize("take_away", [delete, rename])
def test_write_during_which_the_file_vanishes_is_not_acknowledged(
    app: Flask, database_file: Path, take_away: Callable[[Path], object]
) -> None:
    def work(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO agreements (id) VALUES ('agmt-1')")
        take_away(database_file)

    with app.app_context(), pytest.raises(DatabaseUnavailable, match="SQLITE_READONLY_DBMOVED"):
        transactions.write(work)


def test_problem_names_the_missing_file(app: Flask, client: FlaskClient, database_file: Path) -> None:
    client.get("/readyz")
    rename(database_file)

    with app.app_context():
        problem = readiness.find_problem()

    assert str(problem) == f"{readiness.FILE_TAKEN_AWAY} The database says: {database_file} was deleted or moved"

"""A full disk, a read-only file system, a demoted primary: not ready while nothing can be stored, then ready again."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import make_url

from app import create_app
from app.models import Registration
from app.services.operations import readiness
from sandbox.server import Sandbox
from tests.conftest import migrate
from tests.real import small_disks
from tests.support import factories
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import csrf_token
from tests.support.postgresql_server import PostgresqlServer
from tests.support.stored_rows import all_rows

READY, SAVED = (200, "ready\n", True), 303


@pytest.fixture
def database_url() -> str:
    """Each test has a database of its own."""
    return "sqlite:///unused.db"


def health(client: FlaskClient) -> tuple[int, str, bool]:
    """Return the status and text of /readyz, and whether the metric says that the database is up."""
    ready = client.get("/readyz")
    return ready.status_code, ready.text, "\nfoyer_database_up 1.0\n" in client.get("/metrics").text


def refused(advice: str) -> tuple[int, str, bool]:
    return 503, f"{advice}\n", False


def open_form(app: Flask, sandbox: Sandbox) -> tuple[FlaskClient, dict[str, str]]:
    """Return a buyer's browser, and the form as it is sent: with notes that need space."""
    client = app.test_client()
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    notes = os.urandom(900).hex()
    return client, {"csrf_token": csrf_token(client.get("/signup").text), **ANSWERS, "notes": notes}


def test_sqlite_on_a_full_disk_is_not_ready(environment: pytest.MonkeyPatch, sandbox: Sandbox, tmp_path: Path) -> None:
    with small_disks.mount(tmp_path / "disk", megabytes=2) as disk:
        environment.setenv("DATABASE_URL", f"sqlite:///{disk / 'foyer.db'}")
        migrate(f"sqlite:///{disk / 'foyer.db'}")
        with factories.open_app(create_app()) as app:
            buyer, form = open_form(app, sandbox)
            before = health(buyer)
            small_disks.fill(disk)
            meanwhile, sent = health(buyer), buyer.post("/signup", data=form)
            small_disks.clear(disk)
            after, sent_again = health(buyer), buyer.post("/signup", data=form)

    assert (before, meanwhile, after) == (READY, refused(readiness.DISK_FULL), READY)
    assert (sent.status_code, sent_again.status_code) == (503, SAVED)


def copy_as_a_crash_leaves_it(path: Path, folder: Path) -> None:
    """Copy a SQLite file with its write-ahead log, as it is while a process writes: it can be read without a change."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO agreements (id) VALUES ('a')")
        for file in path.parent.glob(f"{path.name}*"):
            shutil.copy(file, folder)


def test_sqlite_on_a_read_only_file_system_is_not_ready(
    environment: pytest.MonkeyPatch, sandbox: Sandbox, tmp_path: Path
) -> None:
    migrate(f"sqlite:///{tmp_path / 'foyer.db'}")
    with small_disks.mount(tmp_path / "disk", megabytes=4) as disk:
        copy_as_a_crash_leaves_it(tmp_path / "foyer.db", disk)
        environment.setenv("DATABASE_URL", f"sqlite:///{disk / 'foyer.db'}")
        small_disks.remount(disk, "ro")
        with factories.open_app(create_app()) as app:
            meanwhile = health(app.test_client())
            small_disks.remount(disk, "rw")
            after = health(app.test_client())
            buyer, form = open_form(app, sandbox)
            sent = buyer.post("/signup", data=form)

    assert (meanwhile, after) == (refused(readiness.READ_ONLY), READY)
    assert sent.status_code == SAVED


@pytest.mark.parametrize("change", ["default_tablespace = 'small'", "TABLESPACE small"])
def test_postgresql_in_a_full_tablespace_is_not_ready(
    environment: pytest.MonkeyPatch, sandbox: Sandbox, own_server: PostgresqlServer, open_folder: Path, change: str
) -> None:
    owner = Path(str(make_url(own_server.url).query["host"])).stat()
    with small_disks.mount(open_folder / "disk", megabytes=16) as disk:
        os.chown(disk, owner.st_uid, owner.st_gid)
        own_server.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
        url = own_server.create_database("crowded")
        own_server.execute(f"ALTER DATABASE crowded SET {change}")
        try:
            migrate(url)
            environment.setenv("DATABASE_URL", url)
            with factories.open_app(create_app()) as app:
                buyer, _ = open_form(app, sandbox)
                before = health(buyer)
                small_disks.fill(disk)
                meanwhile = health(buyer)
                small_disks.clear(disk)
                after = health(buyer)
        finally:
            own_server.execute("DROP DATABASE crowded", "DROP TABLESPACE small")

    assert (before, meanwhile, after) == (READY, refused(readiness.DISK_FULL), READY)


def test_buyers_are_served_after_the_primary_was_demoted(
    environment: pytest.MonkeyPatch, sandbox: Sandbox, own_server: PostgresqlServer
) -> None:
    """The old primary still answers, for reads: so do the sessions that are open. New ones lead to the new primary."""
    url = own_server.create_database("demoted")
    migrate(url)
    environment.setenv("DATABASE_URL", url)
    with factories.open_app(create_app()) as app:
        buyer, form = open_form(app, sandbox)
        own_server.execute("ALTER DATABASE demoted SET default_transaction_read_only = off")
        own_server.execute("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
        try:
            sent, state = buyer.post("/signup", data=form), health(buyer)
        finally:
            reset = ("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
            own_server.execute("SET default_transaction_read_only = off", *reset)
        registrations = len(all_rows(app, Registration))
    own_server.execute("DROP DATABASE demoted")

    assert (sent.status_code, state, registrations) == (SAVED, READY, 1)

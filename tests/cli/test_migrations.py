"""foyer db: names a revision, asks before it deletes, and runs one migration at a time."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import make_url

from app import create_app
from app.cli.migrations import TRY_AGAIN
from app.database import transactions
from app.services.operations import readiness
from tests.support import factories
from tests.support.app_processes import ROOT, WITHOUT_DOTENV, inherited_environment
from tests.support.databases import on_postgresql, on_sqlite
from tests.support.postgresql_server import execute_statements

Db = Callable[..., Result]
WAITING = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_timeout")


@pytest.fixture
def app(own_database_url: str) -> Iterator[Flask]:
    with factories.open_app(create_app(factories.settings(database_url=own_database_url))) as app:
        yield app


@pytest.fixture
def db(app: Flask) -> Db:
    """Runs `foyer db` with these arguments and, at a question, this answer."""
    return lambda *arguments, answer="": app.test_cli_runner().invoke(args=["db", *arguments], input=answer)


def revision(app: Flask) -> str:
    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        return str(connection.scalar(text("SELECT version_num FROM alembic_version")))


@pytest.mark.parametrize("answer", ["", "n\n"])
def test_downgrade_asks_before_it_deletes(app: Flask, db: Db, answer: str) -> None:
    result = db("downgrade", "0003", answer=answer)

    assert result.exit_code == 1
    assert "0004  Adds the outbox" in result.stdout
    assert "0003  " not in result.stdout
    assert revision(app) == readiness.newest_revision()


@pytest.mark.parametrize(("arguments", "answer"), [(["0003"], "y\n"), (["0003", "--yes"], "")])
def test_downgrade_leads_to_the_named_revision(app: Flask, db: Db, arguments: list[str], answer: str) -> None:
    result = db("downgrade", *arguments, answer=answer)

    assert result.exit_code == 0
    assert revision(app) == "0003"


@on_sqlite
@pytest.mark.parametrize("command", [["downgrade", "--yes"], ["upgrade"], ["stamp", "--yes"]])
def test_count_of_steps_is_refused(app: Flask, db: Db, command: list[str]) -> None:
    for count in ("1", "3", "4", "-1", "+1", "-0003", "00003", "0003.0", "٣", "head-1", "000", ""):
        result = db(*command, count)

        assert result.exit_code == 1
        assert f"There is no revision {count}." in result.stderr
    assert revision(app) == readiness.newest_revision()


def test_downgrade_to_the_present_revision_or_a_later_one_is_refused(app: Flask, db: Db) -> None:
    present = db("downgrade", readiness.newest_revision(), "--yes")
    db("downgrade", "0002", "--yes")
    later = db("downgrade", "0003", "--yes")

    assert (present.exit_code, later.exit_code) == (1, 1)
    assert "not at a revision later than 0003: nothing was changed" in later.stderr
    assert revision(app) == "0002"


def test_upgrade_stops_at_the_named_revision(app: Flask, db: Db) -> None:
    db("downgrade", "0001", "--yes")

    result = db("upgrade", "0002")

    assert result.exit_code == 0
    assert revision(app) == "0002"


def test_stamp_asks_before_it_records_a_revision(app: Flask, db: Db) -> None:
    refused = db("stamp", "0002")
    before = revision(app)
    db("stamp", "0002", answer="y\n")

    assert (refused.exit_code, before, revision(app)) == (1, readiness.newest_revision(), "0002")


def store_revision(app: Flask, name: str) -> None:
    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :name"), {"name": name})


def test_upgrade_changes_nothing_on_the_tables_of_a_later_version(app: Flask, db: Db) -> None:
    store_revision(app, "9999")

    results = [db("upgrade"), db("upgrade", "head")]

    assert [result.exit_code for result in results] == [0, 0]
    assert all("at revision 9999, of a later version of Foyer" in result.stdout for result in results)
    assert revision(app) == "9999"


@pytest.mark.parametrize(("stored", "arguments"), [("9999", ["downgrade", "0003", "--yes"]), ("0000", ["upgrade"])])
def test_unknown_stored_revision_is_explained(app: Flask, db: Db, stored: str, arguments: list[str]) -> None:
    store_revision(app, stored)

    result = db(*arguments)

    assert result.exit_code == 1
    assert f"'{stored}'. Run the command with the version of Foyer that has it." in result.stderr


def test_migration_during_a_dump_says_to_try_again(app: Flask, db: Db, own_database_url: str) -> None:
    db("downgrade", "0003", "--yes")
    engine = create_engine(factories.sqlalchemy_url(own_database_url))
    with engine.connect() as dump:
        dump.exec_driver_sql("SELECT * FROM subscriptions" if engine.name == "postgresql" else "BEGIN EXCLUSIVE")
        result = db("upgrade")
    engine.dispose()

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (1, f"Error: {TRY_AGAIN}")
    assert "Traceback" not in result.output
    assert revision(app) == "0003"
    assert db("upgrade").exit_code == 0


def start_upgrade(url: str) -> "subprocess.Popen[str]":
    environment = {**inherited_environment(), **WITHOUT_DOTENV, **factories.environment(url, "http://127.0.0.1:9")}
    command = [sys.executable, "-m", "app.cli", "db", "upgrade"]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def wait_for_waiting(connection: Connection, count: int) -> None:
    """Wait until that many processes wait for the migrations' lock; at most a minute."""
    for _ in range(600):
        if connection.scalar(WAITING) == count:
            return
        threading.Event().wait(0.1)
    raise AssertionError("no process waits for the lock")


@on_postgresql
@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_two_upgrades_at_once_both_succeed(app: Flask, own_database_url: str, isolation: str) -> None:
    name = make_url(own_database_url).database
    execute_statements(own_database_url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    execute_statements(own_database_url, f"ALTER DATABASE {name} SET default_transaction_isolation TO '{isolation}'")
    engine = create_engine(factories.sqlalchemy_url(own_database_url), isolation_level="AUTOCOMMIT")
    with engine.connect() as observer, engine.connect() as holder:
        holder.execute(text("SELECT pg_advisory_lock(hashtext('foyer migrations'))"))
        processes = [start_upgrade(own_database_url), start_upgrade(own_database_url)]
        try:
            wait_for_waiting(observer, 2)
        finally:
            holder.execute(text("SELECT pg_advisory_unlock_all()"))
            errors = [process.communicate(timeout=60)[1] for process in processes]
    engine.dispose()

    assert [process.returncode for process in processes] == [0, 0], errors
    assert not any("Traceback" in text for text in errors)
    assert revision(app) == readiness.newest_revision()


@on_postgresql
def test_upgrade_that_waits_for_a_later_versions_one_changes_nothing(app: Flask, own_database_url: str) -> None:
    engine = create_engine(factories.sqlalchemy_url(own_database_url), isolation_level="AUTOCOMMIT")
    with engine.connect() as observer, engine.connect() as later_version:
        later_version.execute(text("SELECT pg_advisory_lock(hashtext('foyer migrations'))"))
        process = start_upgrade(own_database_url)
        try:
            wait_for_waiting(observer, 1)
            store_revision(app, "9999")
        finally:
            later_version.execute(text("SELECT pg_advisory_unlock_all()"))
            errors = process.communicate(timeout=60)[1]
    engine.dispose()

    assert process.returncode == 0, errors
    assert revision(app) == "9999"


@on_postgresql
def test_upgrade_sets_limits_on_the_role_that_has_none(app: Flask, db: Db, own_database_url: str) -> None:
    name = make_url(own_database_url).database
    execute_statements(own_database_url, f"ALTER ROLE postgres IN DATABASE {name} RESET ALL")
    execute_statements(own_database_url, f"ALTER DATABASE {name} SET lock_timeout = '1s'")

    result = db("upgrade")

    engine = create_engine(factories.sqlalchemy_url(own_database_url))
    with engine.connect() as connection:
        limits = [connection.scalar(text(f"SHOW {limit}")) for limit in LIMITS]
    engine.dispose()
    assert result.exit_code == 0
    assert limits == ["5s", "1s", "10s", "30s"]


@on_postgresql
def test_schema_of_the_options_in_the_url_is_migrated(app: Flask, own_database_url: str) -> None:
    execute_statements(own_database_url, "CREATE SCHEMA tenant")
    tenant_url = f"{own_database_url}&options=-csearch_path%3Dtenant"

    with factories.open_app(create_app(factories.settings(database_url=tenant_url))) as tenant:
        result = tenant.test_cli_runner().invoke(args=["db", "upgrade"])

    assert result.exit_code == 0
    with app.app_context():
        tables = inspect(transactions.current_database().read_engine).get_table_names("tenant")
    assert {"subscriptions", "outbox", "alembic_version"} <= set(tables)

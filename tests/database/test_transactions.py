"""Transactions on both databases: durable, tried again where that helps, and named where it does not."""

import socket
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import create_app
from app.database import engine
from app.database.transactions import MAX_ATTEMPTS, query, transaction
from app.errors import DatabaseUnavailable
from app.models import Base
from tests.conftest import run_db_upgrade
from tests.support import factories
from tests.support.databases import on_postgresql, on_sqlite


@on_sqlite
def test_sqlite_waits_for_the_disk_and_for_other_writers(app: Flask) -> None:
    with app.app_context(), engine.current_database().read_engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        }
        busy = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
        foreign = connection.exec_driver_sql("PRAGMA foreign_keys").scalar()

    assert found == {"journal_mode": "wal", "synchronous": 2}
    assert (busy, foreign) == (5000, 1)


@on_sqlite
def test_a_sqlite_writer_takes_its_lock_at_once_and_a_reader_none(app: Flask, database_url: str) -> None:
    other = sqlite3.connect(database_url.removeprefix("sqlite:///"), timeout=0, isolation_level=None)

    @transaction
    def writer(connection: Connection) -> None:
        connection.execute(text("SELECT 1"))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")

    @query
    def reader(session: Session) -> None:
        session.execute(text("SELECT 1"))
        other.execute("DELETE FROM registrations")

    with app.app_context(), closing(other):
        writer()
        reader()


def test_what_raises_is_rolled_back(app: Flask) -> None:
    @transaction
    def half_done(connection: Connection) -> None:
        connection.execute(text("UPDATE alembic_version SET version_num = 'x'"))
        raise LookupError

    with app.app_context():
        with pytest.raises(LookupError):
            half_done()
        with engine.current_database().read_engine.connect() as connection:
            assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() != "x"


INSERT = text(
    "INSERT INTO subscriptions (id, purchase_key, product_code, status, hints, created_at, last_seen_at)"
    " VALUES (:id, :key, 'p', 'pending', '{}', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)"
)


@on_postgresql
def test_a_transaction_that_could_not_be_serialized_runs_again(app: Flask) -> None:
    both_have_read = threading.Barrier(2)
    attempts: list[str] = []

    @transaction
    def add_one(connection: Connection, name: str) -> None:
        attempts.append(name)
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"))
        count = connection.scalar(text("SELECT count(*) FROM subscriptions"))
        if attempts.count(name) == 1:
            both_have_read.wait(10)
        connection.execute(INSERT, {"id": uuid4().hex, "key": f"{name} after {count}"})

    def run(name: str) -> None:
        with app.app_context():
            add_one(name)

    with ThreadPoolExecutor() as threads:
        list(threads.map(run, ("a", "b")))

    with app.app_context(), engine.current_database().read_engine.connect() as connection:
        keys = list(connection.execute(text("SELECT purchase_key FROM subscriptions")).scalars())
    assert len(attempts) == 3
    assert sorted(key.partition(" after ")[2] for key in keys) == ["0", "1"]


@on_postgresql
def test_of_two_that_insert_the_same_at_once_one_runs_again_and_finds_it(app: Flask) -> None:
    both_have_read = threading.Barrier(2)
    attempts: list[str] = []

    @transaction
    def add_where_missing(connection: Connection, name: str) -> bool:
        attempts.append(name)
        missing = not connection.scalar(text("SELECT count(*) FROM subscriptions"))
        if attempts.count(name) == 1:
            both_have_read.wait(10)
        if missing:
            connection.execute(INSERT, {"id": uuid4().hex, "key": "the same"})
        return missing

    def run(name: str) -> bool:
        with app.app_context():
            return add_where_missing(name)

    with ThreadPoolExecutor() as threads:
        added = list(threads.map(run, ("a", "b")))

    assert sorted(added) == [False, True]
    assert len(attempts) == 3


@pytest.mark.parametrize(("failing", "raises"), [(3, False), (99, True)])
def test_what_is_taken_is_tried_again_a_few_times(app: Flask, database_url: str, failing: int, raises: bool) -> None:
    attempts: list[str] = []

    @transaction
    def add(connection: Connection) -> None:
        attempts.append("taken" if len(attempts) < failing else "free")
        connection.execute(INSERT, {"id": uuid4().hex, "key": attempts[-1]})

    with app.app_context():
        with engine.current_database().write_engine.begin() as connection:
            connection.execute(INSERT, {"id": uuid4().hex, "key": "taken"})
        with pytest.raises(IntegrityError) if raises else nullcontext():
            add()

    # In SQLite's queue each try that fails is two: together with others, then alone.
    most = MAX_ATTEMPTS * (2 if database_url.startswith("sqlite") else 1)
    assert len(attempts) == min(failing + 1, most)


@pytest.mark.parametrize("statement", ["SELECT 1 FROM nowhere", "SELECT nothing FROM subscriptions"])
def test_a_table_or_column_that_is_not_there_yet_is_the_databases_fault(app: Flask, statement: str) -> None:
    @query
    def ask(session: Session) -> None:
        session.execute(text(statement))

    with app.app_context(), pytest.raises(DatabaseUnavailable):
        ask()


@on_postgresql
def test_connections_that_died_are_replaced_without_a_restart(app: Flask, database_url: str) -> None:
    @query
    def one(session: Session) -> int:
        return int(session.scalar(text("SELECT 1")) or 0)

    with app.app_context():
        one()
        administrator = create_engine(factories.sqlalchemy_url(database_url))
        with administrator.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        administrator.dispose()

        assert one() == 1


def test_a_database_that_is_away_has_a_name_of_its_own() -> None:
    settings = factories.settings(database_url="postgresql://nobody@127.0.0.1:1/nothing")

    @query
    def one(session: Session) -> int:
        return int(session.scalar(text("SELECT 1")) or 0)

    with factories.open_app(create_app(settings)) as app, app.app_context(), pytest.raises(DatabaseUnavailable):
        one()


def test_a_database_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/nothing"

        with factories.open_app(create_app(factories.settings(database_url=url))) as app:
            response = app.test_client().get("/readyz")

    assert response.status_code == 503


@on_postgresql
def test_a_statement_that_takes_too_long_is_the_databases_fault(app: Flask) -> None:
    @query
    def linger(session: Session) -> None:
        session.execute(text("SET LOCAL statement_timeout = 10"))
        session.execute(text("SELECT pg_sleep(60)"))

    with app.app_context(), pytest.raises(DatabaseUnavailable) as raised:
        linger()

    assert raised.value.code == "QueryCanceled 57014"


def test_the_migrations_make_the_models_tables(app: Flask) -> None:
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415  # costs what only this test needs
    from alembic.migration import MigrationContext  # noqa: PLC0415

    with app.app_context(), engine.current_database().read_engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)
        checks = {check["name"] for check in inspect(connection).get_check_constraints("subscriptions")}

    assert differences == []
    assert checks == {"ck_subscriptions_status"}


def test_an_upgrade_of_a_migrated_database_changes_nothing(database_url: str) -> None:
    result = run_db_upgrade(database_url)

    assert result.exit_code == 0

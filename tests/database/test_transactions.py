"""Transactions on both databases: durable, retried where that helps, and DatabaseUnavailable where it does not."""

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

from app import create_app
from app.database import transactions
from app.database.transactions import MAX_ATTEMPTS, query, transaction
from app.errors import DatabaseUnavailable
from app.models.partial_indexes import METADATA
from tests.conftest import run_db_upgrade
from tests.support import factories
from tests.support.databases import on_postgresql, on_sqlite


@on_sqlite
def test_sqlite_connection_is_durable_and_waits_for_writers(app: Flask) -> None:
    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        }
        busy_timeout = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
        foreign_keys = connection.exec_driver_sql("PRAGMA foreign_keys").scalar()

    assert pragmas == {"journal_mode": "wal", "synchronous": 2}
    assert (busy_timeout, foreign_keys) == (5000, 1)


@on_sqlite
def test_sqlite_writer_locks_at_once_and_reader_takes_no_lock(app: Flask, database_url: str) -> None:
    path = database_url.removeprefix("sqlite:///")
    # The writer uses it, too.
    other = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)

    @transaction
    def writer(connection: Connection) -> None:
        connection.execute(text("SELECT 1"))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")

    @query
    def reader(connection: Connection) -> None:
        connection.execute(text("SELECT 1"))
        other.execute("DELETE FROM registrations")

    with app.app_context(), closing(other):
        writer()
        reader()


def test_transaction_that_raises_is_rolled_back(app: Flask) -> None:
    @transaction
    def half_done(connection: Connection) -> None:
        connection.execute(text("UPDATE alembic_version SET version_num = 'x'"))
        raise LookupError

    with app.app_context():
        with pytest.raises(LookupError):
            half_done()
        with transactions.current_database().read_engine.connect() as connection:
            assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() != "x"


INSERT = text(
    "INSERT INTO subscriptions (id, purchase_key, product_code, status, hints, created_at, last_seen_at)"
    " VALUES (:id, :key, 'p', 'pending', '{}', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)"
)


@on_postgresql
def test_serialization_failure_is_retried(app: Flask) -> None:
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

    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        keys = list(connection.execute(text("SELECT purchase_key FROM subscriptions")).scalars())
    assert len(attempts) == 3
    assert sorted(key.partition(" after ")[2] for key in keys) == ["0", "1"]


@on_postgresql
def test_loser_of_two_equal_inserts_retries_and_finds_the_row(app: Flask) -> None:
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
def test_unique_violation_is_retried_a_few_times(app: Flask, failing: int, raises: bool) -> None:
    attempts: list[str] = []

    @transaction
    def add(connection: Connection) -> None:
        attempts.append("taken" if len(attempts) < failing else "free")
        connection.execute(INSERT, {"id": uuid4().hex, "key": attempts[-1]})

    with app.app_context():
        with transactions.current_database().write_engine.begin() as connection:
            connection.execute(INSERT, {"id": uuid4().hex, "key": "taken"})
        with pytest.raises(IntegrityError) if raises else nullcontext():
            add()

    assert len(attempts) == min(failing + 1, MAX_ATTEMPTS)


@pytest.mark.parametrize("statement", ["SELECT 1 FROM nowhere", "SELECT nothing FROM subscriptions"])
def test_missing_table_or_column_raises_database_unavailable(app: Flask, statement: str) -> None:
    @query
    def run_statement(connection: Connection) -> None:
        connection.execute(text(statement))

    with app.app_context(), pytest.raises(DatabaseUnavailable):
        run_statement()


@on_postgresql
def test_dead_connections_are_replaced_without_a_restart(app: Flask, database_url: str) -> None:
    @query
    def select_one(connection: Connection) -> int:
        return int(connection.scalar(text("SELECT 1")) or 0)

    with app.app_context():
        select_one()
        administrator = create_engine(factories.sqlalchemy_url(database_url))
        with administrator.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        administrator.dispose()

        assert select_one() == 1


def test_unreachable_database_raises_database_unavailable() -> None:
    settings = factories.settings(database_url="postgresql://nobody@127.0.0.1:1/nothing")

    @query
    def select_one(connection: Connection) -> int:
        return int(connection.scalar(text("SELECT 1")) or 0)

    with factories.open_app(create_app(settings)) as app, app.app_context(), pytest.raises(DatabaseUnavailable):
        select_one()


def test_silent_database_makes_readyz_answer_503() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/nothing"

        with factories.open_app(create_app(factories.settings(database_url=url))) as app:
            response = app.test_client().get("/readyz")

    assert response.status_code == 503


@on_postgresql
def test_statement_timeout_raises_database_unavailable(app: Flask) -> None:
    @query
    def sleep(connection: Connection) -> None:
        connection.execute(text("SET LOCAL statement_timeout = 10"))
        connection.execute(text("SELECT pg_sleep(60)"))

    with app.app_context(), pytest.raises(DatabaseUnavailable) as raised:
        sleep()

    assert raised.value.code == "QueryCanceled 57014"


def test_migrations_create_the_tables_of_the_models(app: Flask) -> None:
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415  # costs what only this test needs
    from alembic.migration import MigrationContext  # noqa: PLC0415

    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, METADATA)
        checks = {check["name"] for check in inspect(connection).get_check_constraints("subscriptions")}

    assert differences == []
    assert checks == {"ck_subscriptions_status"}


def test_upgrading_a_migrated_database_succeeds(database_url: str) -> None:
    result = run_db_upgrade(database_url)

    assert result.exit_code == 0

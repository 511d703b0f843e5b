"""Transactions on both databases: durable, tried again where that helps, and named where it does not."""

import sqlite3
import threading
from contextlib import closing

import pytest
from flask import Flask
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.orm import Session

from app import create_app, database
from app.database import query, transaction
from app.errors import DatabaseUnavailable
from app.models import Base
from tests import factories
from tests.conftest import upgrade


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_waits_for_the_disk_and_for_other_writers(app: Flask) -> None:
    with app.app_context(), database.current().reading.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        }
        busy = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
        foreign = connection.exec_driver_sql("PRAGMA foreign_keys").scalar()

    assert found == {"journal_mode": "wal", "synchronous": 2}
    assert (busy, foreign) == (5000, 1)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_sqlite_writer_takes_its_lock_at_once_and_a_reader_none(app: Flask, database_url: str) -> None:
    other = sqlite3.connect(database_url.removeprefix("sqlite:///"), timeout=0, isolation_level=None)

    @transaction
    def writer(session: Session) -> None:
        session.execute(text("SELECT 1"))
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
    def half_done(session: Session) -> None:
        session.execute(text("UPDATE alembic_version SET version_num = 'x'"))
        raise LookupError

    with app.app_context():
        with pytest.raises(LookupError):
            half_done()
        with database.current().reading.connect() as connection:
            assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() != "x"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_transaction_that_could_not_be_serialized_runs_again(app: Flask) -> None:
    both_have_read = threading.Barrier(2)
    attempts: list[str] = []

    @transaction
    def add_one(session: Session, name: str) -> None:
        attempts.append(name)
        session.execute(text("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"))
        count = session.scalar(text("SELECT count(*) FROM subscriptions"))
        if attempts.count(name) == 1:
            both_have_read.wait(10)
        values = {"id": f"0000000{len(name)}-0000-7000-8000-000000000000", "key": f"{name} after {count}"}
        session.execute(
            text(
                "INSERT INTO subscriptions (id, purchase_key, product_code, status, hints, created_at, last_seen_at)"
                " VALUES (:id, :key, 'p', 'pending', '{}', now(), now())"
            ),
            values,
        )

    def run(name: str) -> None:
        with app.app_context():
            add_one(name)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("a", "bb")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with app.app_context(), database.current().reading.connect() as connection:
        keys = list(connection.execute(text("SELECT purchase_key FROM subscriptions")).scalars())
    assert len(attempts) == 3
    assert sorted(key.partition(" after ")[2] for key in keys) == ["0", "1"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
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

    with factories.running(create_app(settings)) as app, app.app_context(), pytest.raises(DatabaseUnavailable):
        one()


def test_the_migrations_make_the_models_tables(app: Flask) -> None:
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415  # costs what only this test needs
    from alembic.migration import MigrationContext  # noqa: PLC0415

    with app.app_context(), database.current().reading.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)
        checks = {check["name"] for check in inspect(connection).get_check_constraints("subscriptions")}

    assert differences == []
    assert checks == {"ck_subscriptions_status"}


def test_an_upgrade_of_a_migrated_database_changes_nothing(database_url: str) -> None:
    result = upgrade(database_url)

    assert result.exit_code == 0

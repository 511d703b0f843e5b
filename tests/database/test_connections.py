"""Connections of the pool: dropped when they are of no use or old, and fit for a pooler in between."""

import socket
import threading
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import time_machine
from flask import Flask
from sqlalchemy import Connection, event, text

from app import create_app
from app.config.settings import SettingsError, load
from app.database import transactions
from app.database.transactions import query, transaction
from app.errors import DatabaseUnavailable
from tests.support import factories
from tests.support.databases import on_postgresql

READ_ONLY = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET default_transaction_read_only = on"}
INSERT = text("INSERT INTO agreements (id) VALUES (:id)")


@transaction
def insert_agreement(connection: Connection) -> None:
    connection.execute(INSERT, {"id": uuid4().hex})


@query
def count_agreements(connection: Connection) -> int:
    return int(connection.scalar(text("SELECT count(*) FROM agreements")) or 0)


def open_connections(count: int, statement: str = "SELECT 1") -> None:
    """Fill the pool with connections, each after this statement, which stays in force on it."""
    engine = transactions.current_database().read_engine
    with ExitStack() as stack:
        for connection in [stack.enter_context(engine.connect()) for _ in range(count)]:
            connection.exec_driver_sql(statement)
            connection.commit()


def test_connections_that_became_read_only_are_dropped(app: Flask) -> None:
    with app.app_context():
        name = transactions.current_database().read_engine.dialect.name
        open_connections(4, READ_ONLY[name])

        insert_agreement()

        assert count_agreements() == 1


@on_postgresql
def test_read_only_database_is_given_up_after_two_connections(app: Flask, database_url: str) -> None:
    opened: list[object] = []
    with app.app_context():
        engine = transactions.current_database().read_engine
        event.listen(engine, "connect", lambda connection, _: opened.append(connection))
        # Whoever connects gets it: the server itself is read-only.
        event.listen(engine, "connect", lambda connection, _: connection.set_read_only(True))

        with pytest.raises(DatabaseUnavailable, match="ReadOnlySqlTransaction 25006"):
            insert_agreement()

    assert len(opened) == 2


@on_postgresql
def test_missing_privilege_raises_database_unavailable(app: Flask) -> None:
    @query
    def read_passwords(connection: Connection) -> None:
        connection.execute(text("SET LOCAL ROLE pg_monitor"))
        connection.execute(text("SELECT * FROM pg_authid"))

    with app.app_context(), pytest.raises(DatabaseUnavailable, match="42501"):
        read_passwords()


def test_connection_older_than_ten_minutes_is_replaced(app: Flask) -> None:
    opened: list[object] = []
    with app.app_context():
        event.listen(transactions.current_database().read_engine, "connect", lambda *new: opened.append(new))
        count_agreements()
        count_agreements()
        young = len(opened)
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=11)):
            count_agreements()

    assert (young, len(opened)) == (1, 2)


def test_first_connection_sends_no_options_to_the_server() -> None:
    received: list[bytes] = []

    def answer_nothing(server: socket.socket) -> None:
        client, _ = server.accept()
        client.recv(8)
        client.sendall(b"N")  # no TLS
        received.append(client.recv(4096))
        client.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer_nothing, args=[server])
        thread.start()
        url = f"postgresql://nobody@127.0.0.1:{server.getsockname()[1]}/nothing?application_name=mine"
        with factories.open_app(create_app(factories.settings(database_url=url))) as app:
            app.test_client().get("/readyz")
        thread.join(10)

    assert b"application_name\0mine\0" in received[0]
    assert b"options" not in received[0]


@pytest.mark.parametrize(("asked_for", "prepared"), [("", False), ("prepare_threshold=0", True)])
@on_postgresql
def test_statements_are_prepared_only_if_asked_for(database_url: str, asked_for: str, prepared: bool) -> None:
    url = with_query(database_url, asked_for)

    @query
    def count_prepared(connection: Connection) -> int:
        statement = text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%agreements%'")
        return int(connection.scalar(statement) or 0)

    with factories.open_app(create_app(factories.settings(database_url=url))) as app, app.app_context():
        for _ in range(8):
            count_agreements()

        assert bool(count_prepared()) is prepared


@on_postgresql
def test_options_in_the_url_are_passed_on(database_url: str) -> None:
    url = with_query(database_url, "options=-csearch_path%3Dtenant%20-cstatement_timeout%3D7s&connect_timeout=9")

    @query
    def show(connection: Connection) -> list[str]:
        return [str(connection.scalar(text(f"SHOW {name}"))) for name in ("search_path", "statement_timeout")]

    with factories.open_app(create_app(factories.settings(database_url=url))) as app, app.app_context():
        assert show() == ["tenant", "7s"]
        engine = transactions.current_database().read_engine
        with engine.connect() as connection:
            parameters = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]

    assert (parameters["connect_timeout"], parameters["tcp_user_timeout"]) == ("9", "5000")


def test_prepare_threshold_has_to_be_a_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    factories.clear_environment(monkeypatch)
    for name, value in factories.environment("postgresql://u@h/n?prepare_threshold=often", "").items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match="DATABASE_URL: prepare_threshold must be a number"):
        load()


def with_query(url: str, query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{query}"

"""Readiness is tried by a write: /readyz, the metric and the doctor on a database that can be read only."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select, text

from app.database import transactions
from app.models import Heartbeat
from app.services.operations import readiness
from tests.cli.doctor.doctor_output import failed_checks, run_doctor
from tests.support.databases import on_postgresql
from tests.support.postgresql_server import execute_statements


@contextmanager
def read_only_sessions(app: Flask, url: str) -> Iterator[None]:
    """Let each session of the database begin read-only, as on a standby, the pool's own included."""
    change = f"ALTER DATABASE {url.rpartition('/')[2].partition('?')[0]} {{}} default_transaction_read_only"
    execute_statements(url, change.format("SET") + " = on")
    dispose_pool(app)
    try:
        yield
    finally:
        execute_statements(url, "SET default_transaction_read_only = off", change.format("RESET"))


def dispose_pool(app: Flask) -> None:
    with app.app_context():
        transactions.current_database().read_engine.dispose()


def is_up(client: FlaskClient) -> bool:
    return "\nfoyer_database_up 1.0\n" in client.get("/metrics").text


@on_postgresql
def test_read_only_database_is_not_ready_until_it_takes_writes(
    app: Flask, client: FlaskClient, database_url: str
) -> None:
    before = client.get("/readyz").status_code, is_up(client)
    with read_only_sessions(app, database_url):
        response = client.get("/readyz")
        meanwhile = response.status_code, is_up(client)
    after = client.get("/readyz").status_code, is_up(client)

    assert (before, meanwhile, after) == ((200, True), (503, False), (200, True))
    assert "leads to the primary" in response.text


@on_postgresql
def test_other_gauges_are_measured_on_a_read_only_database(app: Flask, client: FlaskClient, database_url: str) -> None:
    with read_only_sessions(app, database_url):
        text = client.get("/metrics").text

    assert "\nfoyer_parked_tokens 0.0\n" in text


@on_postgresql
def test_doctor_quotes_why_the_server_takes_no_write(app: Flask, database_url: str) -> None:
    with read_only_sessions(app, database_url):
        failures = failed_checks(run_doctor())

    assert failures["database"].startswith(readiness.READ_ONLY)
    assert "cannot execute UPDATE in a read-only transaction" in failures["database"]


@on_postgresql
def test_commands_that_only_read_work_on_a_read_only_database(app: Flask, database_url: str) -> None:
    with read_only_sessions(app, database_url):
        result = app.test_cli_runner().invoke(args=["registrations", "list"])

    assert (result.exit_code, result.stderr) == (0, "There are no registrations.\n")


def test_many_probes_write_once_a_second_into_one_row(app: Flask, client: FlaskClient) -> None:
    commits: list[object] = []
    with app.app_context():
        event.listen(transactions.current_database().write_engine, "commit", commits.append)

    answers = {client.get("/readyz").status_code for _ in range(20)}

    assert answers == {200}
    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        rows = connection.execute(select(Heartbeat.chore)).scalars().all()
    assert rows == [readiness.WRITTEN_ROW]
    assert 1 <= len(commits) <= 10


@on_postgresql
def test_probe_does_not_wait_for_another_probe(app: Flask, client: FlaskClient) -> None:
    client.get("/readyz")
    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        connection.execute(text("SELECT * FROM heartbeats FOR UPDATE"))

        assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("probe", ["/readyz", "/metrics"])
def test_probe_of_a_database_without_that_table_is_answered(client: FlaskClient, app: Flask, probe: str) -> None:
    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE heartbeats RENAME TO elsewhere")

    response = client.get(probe)

    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO heartbeats")
    assert response.status_code == (503 if probe == "/readyz" else 200)

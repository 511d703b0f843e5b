"""The probes and the metrics: /healthz, /readyz and /metrics."""

import math
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app import create_app
from app.database import transactions
from app.observability import metrics
from app.services.operations import readiness
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.factories import TOKEN_FIELD
from tests.support.pending_purchases import register_before_purchase


def test_healthz_ignores_database_outage(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")

    with factories.open_app(create_app()) as app:
        assert app.test_client().get("/healthz").text == "ok\n"


def test_migrated_database_is_ready(client: FlaskClient) -> None:
    response = client.get("/readyz")

    assert (response.status_code, response.text) == (200, "ready\n")


def test_unreachable_database_is_not_ready(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")

    with factories.open_app(create_app()) as app:
        response = app.test_client().get("/readyz")

    assert response.status_code == 503
    assert "Check DATABASE_URL" in response.text


def test_database_without_tables_is_not_ready(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE alembic_version RENAME TO elsewhere")

    response = client.get("/readyz")

    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO alembic_version")
    assert response.status_code == 503
    assert "foyer db upgrade" in response.text


@pytest.mark.parametrize(("revision", "status"), [("0000", 503), ("9999", 200)])
def test_older_schema_is_not_ready_and_newer_is(app: Flask, client: FlaskClient, revision: str, status: int) -> None:
    move_to = text("UPDATE alembic_version SET version_num = :revision")
    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        connection.execute(move_to, {"revision": revision})

    response = client.get("/readyz")

    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        connection.execute(move_to, {"revision": readiness.newest_revision()})
    assert response.status_code == status
    assert (revision in response.text) is (status == 503)


def test_landings_are_counted_by_outcome(client: FlaskClient, sandbox: Sandbox) -> None:
    def counted(outcome: str) -> float:
        lines = client.get("/metrics").text.splitlines()
        samples = [line for line in lines if line.startswith(f'foyer_landings_total{{outcome="{outcome}"}}')]
        return float(samples[0].rpartition(" ")[2]) if samples else 0

    resolved, invalid = counted("resolved"), counted("InvalidToken")

    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    client.post("/", data={TOKEN_FIELD: "made up"})

    assert counted("resolved") == resolved + 1
    assert counted("InvalidToken") == invalid + 1


def gauges(client: FlaskClient) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines if name in metrics.GAUGE_DESCRIPTIONS}


def test_pending_work_is_measured(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    before = gauges(client)
    register_before_purchase(app, factories.token(sandbox))

    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=10), tick=False):
        waiting = gauges(client)

    zero_gauges = {name for name in metrics.GAUGE_DESCRIPTIONS if "heartbeat" not in name}
    assert before == dict.fromkeys(zero_gauges, 0) | {
        "foyer_database_up": 1,
        "foyer_worker_heartbeat_age_seconds": math.inf,
    }
    assert (waiting["foyer_parked_tokens"], waiting["foyer_unlinked_registrations"]) == (1, 1)
    assert 590 < waiting["foyer_parked_tokens_oldest_seconds"] <= 601


def test_metrics_work_before_migration(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE parked_tokens RENAME TO elsewhere")

    during = gauges(client)

    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO parked_tokens")
    assert during == {"foyer_database_up": 0}


def test_metrics_work_during_database_outage(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")

    with factories.open_app(create_app()) as app:
        client = app.test_client()

        assert gauges(client) == {"foyer_database_up": 0}
        assert "foyer_landings_total" in client.get("/metrics").text

"""PgBouncer in transaction mode: everything works through it, and what it refuses is told in its own words."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask

from app import create_app
from app.database import clock
from app.models import Registration
from app.services.outbox import queue
from app.services.signup import registrations
from sandbox.server import Sandbox
from tests.cli.doctor.doctor_output import findings, run_doctor
from tests.real.pgbouncer import run_pgbouncer
from tests.support import factories
from tests.support.databases import on_postgresql
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.outbox_messages import HANDOFF_LANE
from tests.support.page_checks import csrf_token
from tests.support.postgresql_server import PostgresqlServer
from tests.support.stored_rows import all_rows

BUYERS = 40


@pytest.fixture
def pooled_url(database_url: str) -> Iterator[str]:
    with run_pgbouncer(database_url) as url:
        yield url


@pytest.fixture
def pooled_app(environment: pytest.MonkeyPatch, pooled_url: str) -> Iterator[Flask]:
    """The application, with PgBouncer before its database."""
    environment.setenv("DATABASE_URL", pooled_url)
    with factories.open_app(create_app()) as app:
        yield app


def register(app: Flask, token: str) -> list[int]:
    """Go from the landing to the welcome page, twice; return the status of each page."""
    client = app.test_client()
    pages = [client.post("/", data={TOKEN_FIELD: token})]
    pages.append(client.get("/signup"))
    pages.append(client.post("/signup", data={"csrf_token": csrf_token(pages[-1].text), **ANSWERS}))
    pages += [client.get("/welcome") for _ in range(4)]
    return [page.status_code for page in pages]


@on_postgresql
def test_no_buyer_fails_behind_transaction_pooling(pooled_app: Flask, sandbox: Sandbox) -> None:
    tokens = [factories.token(sandbox) for _ in range(BUYERS)]

    with ThreadPoolExecutor(8) as threads:
        journeys = list(threads.map(lambda token: register(pooled_app, token), tokens))

    assert {tuple(journey) for journey in journeys} == {(303, 200, 303, 200, 200, 200, 200)}
    assert len(all_rows(pooled_app, Registration)) == BUYERS


@on_postgresql
def test_database_is_migrated_and_checked_through_the_pooler(pooled_app: Flask) -> None:
    upgraded = pooled_app.test_cli_runner().invoke(args=["db", "upgrade"])
    ready = pooled_app.test_client().get("/readyz")
    verdict, finding = findings(run_doctor())["database"]

    assert (upgraded.exit_code, ready.status_code) == (0, 200)
    assert (verdict, "takes writes" in finding) == ("ok", True)


@on_postgresql
def test_doctor_quotes_why_the_pooler_refuses(environment: pytest.MonkeyPatch, pooled_url: str) -> None:
    environment.setenv("DATABASE_URL", f"{pooled_url}?options=-cstatement_timeout%3D9s")

    verdict, finding = findings(run_doctor())["database"]

    assert verdict == "FAIL"
    assert "unsupported startup parameter: options" in finding


@on_postgresql
@pytest.mark.parametrize("seconds", [-3600.0, 90.0])
def test_clock_that_is_set_takes_no_lease_behind_the_pooler(
    environment: pytest.MonkeyPatch, pooled_url: str, seconds: float
) -> None:
    factories.enable_handoffs(environment)
    environment.setenv("DATABASE_URL", pooled_url)
    real = datetime.now(UTC)
    with factories.open_app(create_app(), compares_clocks=True) as app, app.app_context():
        registrations.complete(factories.resolved(), factories.answers())
        claimed = queue.claim(HANDOFF_LANE)
        with time_machine.travel(real + timedelta(seconds=seconds)):
            during_lease, moment = queue.claim(HANDOFF_LANE), clock.now()

    assert (bool(claimed), during_lease) == (True, None)
    assert abs(moment - real) < timedelta(seconds=10)


def timed_probe(app: Flask, start: threading.Barrier) -> tuple[int, float]:
    start.wait(10)
    started = time.monotonic()
    return app.test_client().get("/readyz").status_code, time.monotonic() - started


def test_app_that_starts_while_the_server_hangs_lets_nobody_wait(own_server: PostgresqlServer) -> None:
    threads_count = 6
    start = threading.Barrier(threads_count)
    with run_pgbouncer(own_server.url) as url:
        settings = factories.settings(database_url=url)
        with factories.open_app(create_app(settings)) as before:
            assert before.test_client().get("/readyz").status_code == 503  # it has no tables
        with factories.open_app(create_app(settings)) as app, ThreadPoolExecutor(threads_count) as threads:
            with own_server.stopped():
                probes = list(threads.map(lambda _: timed_probe(app, start), range(threads_count)))
            recovered = app.test_client().get("/readyz").text

    assert {status for status, _ in probes} == {503}
    assert max(seconds for _, seconds in probes) < 5
    assert "no tables yet" in recovered

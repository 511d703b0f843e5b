"""Commands that read whole tables: how they read them, how long they wait, and what they say when it is too long."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text

from app import create_app
from app.database import transactions
from app.services.reports import overview
from tests.support import factories
from tests.support.databases import on_postgresql, on_sqlite
from tests.support.outbox_messages import register_customer


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    factories.enable_handoffs(environment)
    return environment


@on_sqlite
def test_funnel_looks_up_the_handoffs_of_each_purchase_alone(app: Flask) -> None:
    statement = overview.FUNNEL["handed off"].params(since=datetime.now(UTC))

    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        query = statement.compile(connection, compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()]

    [outbox] = [step for step in plan if "outbox" in step]
    assert "subscription_id=?" in outbox


@pytest.mark.parametrize("wanted", ["QUILLFEATHER", "quillfeather", "O'Neil 100%_\\", "ÄRZTE", "ärzte", "ß /"])
def test_answer_that_was_replaced_is_found_in_upper_and_lower_case(app: Flask, wanted: str) -> None:
    subscription_id = register_customer(app, company="Quillfeather, O'Neil 100%_\\ Ärzte ß / Söhne")
    register_customer(app, company="Another")

    result = app.test_cli_runner().invoke(args=["customer", wanted, "--json"])

    assert f'"id": "{subscription_id}"' in result.stdout


@on_postgresql
def test_operator_waits_longer_than_a_page_and_in_that_transaction_alone(app: Flask) -> None:
    limit = text("SHOW statement_timeout")

    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        before = connection.scalar(limit)
        transactions.wait_for_operator(connection)
        during = connection.scalar(limit)
        connection.rollback()
        after = connection.scalar(limit)

    assert (before, during, after) == ("5s", "14s", "5s")


@contextmanager
def locked(database_url: str, table: str) -> Iterator[None]:
    with psycopg.connect(database_url) as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


@on_postgresql
def test_search_that_takes_too_long_says_what_to_ask_for(
    environment: pytest.MonkeyPatch, app: Flask, database_url: str
) -> None:
    register_customer(app)
    separator = "&" if "?" in database_url else "?"
    limits = "-cstatement_timeout%3D100%20-clock_timeout%3D0"
    environment.setenv("DATABASE_URL", f"{database_url}{separator}options={limits}")

    with factories.open_app(create_app()) as hurried, locked(database_url, "outbox"):
        result = hurried.test_cli_runner().invoke(args=["mails", "list"])

    assert (result.exit_code, result.stdout) == (1, "")
    assert "foyer registrations list --email ADDRESS" in result.stderr

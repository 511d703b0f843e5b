"""The doctor compares this machine's clock with the database's, and looks at what holds the API's feed up."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from app.database import transactions
from app.models import Subscription
from tests.cli.doctor.doctor_output import failed_checks, findings, run_doctor
from tests.support.clock import time_passes
from tests.support.databases import on_postgresql
from tests.support.subscription_rows import insert_changed_at, insert_rows


def test_clock_like_the_databases_passes(app: Flask) -> None:
    assert findings(run_doctor())["clock"] == ("ok", "Within 5 s of the database's.")


@on_postgresql
@pytest.mark.parametrize(("seconds", "side"), [(30, "ahead of"), (-3600, "behind")])
def test_clock_unlike_the_databases_fails(app: Flask, seconds: float, side: str) -> None:
    with time_passes(seconds=seconds):
        verdict, finding = findings(run_doctor())["clock"]

    assert verdict == "FAIL"
    difference = re.match(rf"This machine's clock is (\d+) s {side} the database's\.", finding)
    assert difference
    # The database takes a moment to say its time.
    assert abs(int(difference[1]) - abs(seconds)) <= 5


def test_feed_that_tells_of_every_change_passes(app: Flask) -> None:
    assert findings(run_doctor())["feed"] == ("ok", "The API's readers hear of every change.")


@on_postgresql
def test_transaction_that_holds_the_feed_up_warns(app: Flask) -> None:
    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        insert_rows(connection, datetime.now(UTC))
        insert_changed_at(app, datetime.now(UTC) - timedelta(seconds=90))
        verdict, finding = findings(run_doctor())["feed"]
        [query] = re.findall("SELECT .*;", finding)
        open_transactions = connection.exec_driver_sql(query).all()

    assert verdict == "warn"
    assert re.match("For (9|1[0-9])[0-9] s, the API's readers have not heard of changes", finding)
    assert len(open_transactions) == 1


@on_postgresql
def test_dump_of_another_server_fails_with_the_command_to_run(app: Flask) -> None:
    insert_changed_at(app, datetime.now(UTC))
    renumber = update(Subscription).values(change_number=2**40)
    with app.app_context():
        transactions.write(lambda connection: connection.execute(renumber))

    result = run_doctor()

    assert "`foyer db after-restore`" in failed_checks(result)["feed"]

"""flask doctor: whether a worker is at work, which alone reads events and sends."""

from datetime import UTC, datetime, timedelta

import time_machine
from flask import Flask

from app.services.operations import heartbeats
from tests.cli.doctor.doctor_output import failed_checks, findings, run_doctor
from tests.support.databases import on_sqlite

pytestmark = on_sqlite


def test_a_worker_that_is_at_work_is_told(app: Flask) -> None:
    with app.app_context():
        heartbeats.record("worker")

    word, finding = findings(run_doctor())["worker"]

    assert word == "ok"
    assert finding.startswith("One gave a sign of life ")


def test_where_none_is_at_work_the_doctor_warns_and_says_how_to_start_one(app: Flask) -> None:
    never = findings(run_doctor())["worker"]
    with app.app_context():
        heartbeats.record("worker")

    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=3)):
        result = run_doctor()

    assert findings(result)["worker"] == never
    assert never[0] == "warn"
    assert "Start one beside the pages, with the same settings: flask --app wsgi worker" in never[1]
    assert "worker" not in failed_checks(result)

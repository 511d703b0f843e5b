"""foyer doctor: whether a worker runs; without one no event is read and nothing is sent."""

from datetime import UTC, datetime, timedelta

import time_machine
from flask import Flask

from app.services.operations import heartbeats
from tests.cli.doctor.doctor_output import failed_checks, findings, run_doctor
from tests.support.databases import on_sqlite

pytestmark = on_sqlite


def test_worker_with_a_recent_heartbeat_passes(app: Flask) -> None:
    with app.app_context():
        heartbeats.record("worker")

    verdict, finding = findings(run_doctor())["worker"]

    assert verdict == "ok"
    assert finding.startswith("The last heartbeat was ")


def test_missing_worker_warns_with_the_command_to_start_one(app: Flask) -> None:
    never = findings(run_doctor())["worker"]
    with app.app_context():
        heartbeats.record("worker")

    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=3)):
        result = run_doctor()

    assert findings(result)["worker"] == never
    assert never[0] == "warn"
    assert "Start one beside the web processes, with the same settings: foyer worker" in never[1]
    assert "worker" not in failed_checks(result)

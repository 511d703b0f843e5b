"""The log lines that production.yaml counts and measures in CloudWatch are those that Foyer writes."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest
import time_machine
from flask import Flask

from app import create_app
from app.observability import metrics
from app.worker import loop
from app.worker.loop import Chore
from sandbox.server import Sandbox
from tests.support import app_processes, database_proxy, factories, templates
from tests.support.databases import on_sqlite
from tests.support.events_queue import EventsQueue
from tests.support.factories import TOKEN_FIELD
from tests.support.outbox_messages import register_customer

RESOURCES: dict[str, Any] = templates.load(templates.PRODUCTION)["Resources"]
FILTERS = {
    name: resource["Properties"]
    for name, resource in RESOURCES.items()
    if resource["Type"] == "AWS::Logs::MetricFilter"
}
ALARM_NAMES = [
    resource["Properties"]["AlarmName"]["Fn::Sub"]
    for resource in RESOURCES.values()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
]
CONDITION = re.compile(r'\$\.(\w+) = "([^"]*)"')


def measured(filter_name: str, line: dict[str, Any]) -> object:
    """Return what CloudWatch measures in the line with the template's filter; None where it does not count the line."""
    properties = FILTERS[filter_name]
    conditions = CONDITION.findall(properties["FilterPattern"])
    terms = " && ".join(f'$.{field} = "{value}"' for field, value in conditions)
    assert properties["FilterPattern"] == f"{{ {terms} }}"
    if any(line.get(field) != value for field, value in conditions):
        return None
    value: str = properties["MetricTransformations"][0]["MetricValue"]
    return line[value.removeprefix("$.")] if value.startswith("$.") else float(value)


def refuse_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no JSON")


def logged(text: str, event: str) -> list[dict[str, Any]]:
    """Return the lines of this event, read as strictly as CloudWatch reads them."""
    lines = [json.loads(line, parse_constant=refuse_constant) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


@on_sqlite
def test_running_worker_writes_the_line_that_cloudwatch_measures(
    database_url: str, sandbox: Sandbox, events_queue: EventsQueue
) -> None:
    environment = {**factories.environment(database_url, sandbox.aws_url), "EVENTS_QUEUE_URL": events_queue.url}
    with app_processes.run_worker(environment) as process:
        [line] = logged(app_processes.wait_for_log_event(process, "worker.measured"), "worker.measured")

    names = {name.removeprefix("foyer_") for name in metrics.GAUGE_DESCRIPTIONS}
    # Of a worker that has not polled the queue yet, the age of the poll is infinite.
    assert set(line) - {"event", "level", "timestamp"} | {"events_heartbeat_age_seconds"} == names
    assert all(type(line[name]) in {int, float} for name in names & set(line))
    assert measured("MeasuredFilter", line) == 1
    for name in ("OldestHandoffFilter", "OldestUsageFilter", "OldestTokenFilter"):
        assert measured(name, line) == 0
    assert measured("FaultsFilter", line) is None


def test_age_of_the_oldest_handoff_is_measured(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    factories.enable_handoffs(environment)
    start = datetime.now(UTC)
    with factories.open_app(create_app()) as app, app.app_context():
        with time_machine.travel(start, tick=False):
            register_customer(app)
        with time_machine.travel(start + timedelta(seconds=1000.5), tick=False):
            assert loop.log_gauges()

    [line] = logged(capsys.readouterr().err, "worker.measured")
    assert measured("OldestHandoffFilter", line) == 1000.5
    assert line["handoffs_waiting"] == 1


@on_sqlite
def test_age_of_a_heartbeat_that_never_came_is_left_out(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    with app.app_context():
        assert loop.log_gauges()

    [line] = logged(capsys.readouterr().err, "worker.measured")
    assert "worker_heartbeat_age_seconds" not in line
    assert line["database_up"] == 1


def test_no_line_is_written_during_a_database_outage(
    database_url: str, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with database_proxy.start(database_url) as proxy:
        environment.setenv("DATABASE_URL", proxy.url)
        with factories.open_app(create_app()) as app, app.app_context():
            chore = Chore("measure", loop.log_gauges, interval_seconds=60)
            proxy.disconnect(app)
            chore.run()
            failures, during = chore.failures, capsys.readouterr().err
            proxy.reconnect()
            chore.run()

    assert (failures, chore.failures) == (1, 0)
    assert "worker.measured" not in during
    assert len(logged(capsys.readouterr().err, "worker.measured")) == 1


@on_sqlite
@pytest.mark.parametrize(("fault", "count"), [("access_denied", 1), ("expired", None)])
def test_errors_that_buyers_see_are_counted_and_others_are_not(
    app: Flask, sandbox: Sandbox, capsys: pytest.CaptureFixture[str], fault: str, count: int | None
) -> None:
    sandbox.marketplace.change_faults(**{fault: True})

    app.test_client().post("/", data={TOKEN_FIELD: factories.token(sandbox)})

    [line] = logged(capsys.readouterr().err, "request.failed")
    assert measured("FaultsFilter", line) == count


def test_every_alarm_is_explained() -> None:
    # The queue's name is a parameter; this is its default.
    names = [name.replace("${AWS::StackName}", "...").replace("${QueueName}", "foyer-events") for name in ALARM_NAMES]

    explained = (templates.DEPLOY / "alarms.md").read_text(encoding="utf-8")
    assert names
    assert [name for name in names if f"`{name}`" not in explained] == []

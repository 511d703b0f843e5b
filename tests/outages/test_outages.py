"""A short run without an outage, and what the report says of answers that are lost, late, wrong or never come."""

import socket

import pytest
from sqlalchemy import create_engine, text

from tests.endurance.kill_runs import RunEnvironment
from tests.endurance.registration_report import RegistrationCounts
from tests.endurance.submissions import SubmissionLog
from tests.outages import crowds
from tests.outages.outage_report import GRACE_SECONDS, LONGEST_ANSWER_SECONDS, OutageReport, percentile
from tests.outages.outage_run import run_outage
from tests.outages.visits import Visit
from tests.support import factories
from tests.support.databases import on_sqlite

DELETE_ONE = text("DELETE FROM registrations WHERE id = (SELECT min(id) FROM registrations)")
LIMIT_SECONDS = LONGEST_ANSWER_SECONDS + GRACE_SECONDS


def report(*visits: Visit, log: SubmissionLog | None = None) -> OutageReport:
    """Return the report on these visits; nothing was registered."""
    return OutageReport("run", visits, log or SubmissionLog(), RegistrationCounts(0, 0, 0, 0, 0), aws_calls=0)


@on_sqlite
def test_run_counts_its_visits_and_finds_a_lost_registration(run_environment: RunEnvironment) -> None:
    finished = run_outage("no outage", run_environment, None, seconds=1)
    complete = finished.build_report()
    engine = create_engine(factories.sqlalchemy_url(run_environment.database_url))
    with engine.begin() as connection:
        connection.execute(DELETE_ONE)
    engine.dispose()
    incomplete = finished.build_report()

    assert complete.faults() == []
    assert complete.log.acknowledged == complete.counts.stored == len(complete.visits) >= 5
    assert complete.aws_calls >= 2
    assert incomplete.faults() == ["1 acknowledged registrations are lost"]
    assert "lost 1 " in str(incomplete)


def test_answer_after_the_limit_is_a_fault() -> None:
    in_time, late = (
        Visit("a", [1, LIMIT_SECONDS], is_finished=True),
        Visit("b", [LIMIT_SECONDS + 0.1], is_finished=True),
    )

    assert report(in_time).faults() == []
    assert report(in_time, late).faults() == ["an answer took 6.1 s, more than 6"]


def test_visit_without_an_answer_is_a_fault() -> None:
    assert report(Visit("a", [0.1], is_finished=True), Visit("b", [0.2])).faults() == ["1 visits have no answer"]


def test_unexpected_answer_is_a_fault() -> None:
    log = SubmissionLog()
    log.wrong_responses["submit: 500"] += 2

    assert report(log=log).faults() == ["2 answers are wrong"]


@pytest.mark.parametrize(("percent", "value"), [(50, 2), (95, 4), (100, 4)])
def test_percentile_is_a_value_that_occurred(percent: float, value: float) -> None:
    assert percentile([1, 2, 3, 4], percent) == value
    assert percentile([], percent) == 0


def test_crowd_sends_and_replaces_what_was_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        with crowds.slow_heads(server.getsockname()[1], size=1):
            first, _ = server.accept()
            received = first.recv(100)
            first.close()
            second, _ = server.accept()
            second.close()

    assert received.startswith(b"POST / HTTP/1.1\r\n")
    assert not received.endswith(b"\r\n\r\n")

"""Processes killed under load, at random moments, and usage that comes repeatedly: what is acknowledged is not lost.

The tests that are marked for one kind of database run on both kinds in `make endure`.
"""

from tests.endurance import events_run, handoffs_run, kill_runs, pending_tokens_run, usage_run, usage_sums_run
from tests.endurance.kill_runs import RunEnvironment, RunLength
from tests.support.databases import on_postgresql, on_sqlite
from tests.support.postgresql_server import PostgresqlServer


def test_killed_gunicorn_loses_no_acknowledged_registration(run_environment: RunEnvironment) -> None:
    length = RunLength(rounds=3)

    report = kill_runs.kill_gunicorn_under_load(run_environment, length)

    print(report)
    assert report.is_lossless(at_least=15)
    assert report.kills == 3


@on_sqlite
def test_killed_worker_loses_no_registration_made_while_aws_was_down(
    run_environment: RunEnvironment,
) -> None:
    report = pending_tokens_run.kill_worker_during_retries(run_environment, registered=10, kills=1)

    print(report)
    assert report.is_lossless(at_least=8)
    assert report.kills == 1


@on_postgresql
def test_killed_workers_apply_every_event_once_in_any_order(run_environment: RunEnvironment) -> None:
    report = events_run.kill_workers_during_events(run_environment, purchases=20, kills=1)

    print(report)
    assert report.is_lossless(at_least=70)
    assert report.kills == 1


@on_sqlite
def test_killed_workers_send_every_handoff_in_order(run_environment: RunEnvironment) -> None:
    report = handoffs_run.kill_workers_during_handoffs(run_environment, purchases=8, kills=1)

    print(report)
    assert report.is_lossless(at_least=32)
    assert report.kills == 1


def test_killed_workers_bill_usage_once(run_environment: RunEnvironment) -> None:
    report = usage_run.kill_workers_during_usage(run_environment, kills=3)

    print(report)
    assert report.is_lossless(at_least=24)
    assert report.kills == {"before": 1, "booked": 1, "after": 1}


def test_items_in_any_order_and_repeated_are_billed_once(run_environment: RunEnvironment) -> None:
    report = usage_sums_run.bill_repeated_items(run_environment, items=400)

    print(report)
    assert report.is_lossless(at_least=200)
    assert report.items == 400


def test_killed_postgresql_loses_nothing_and_is_used_again_at_once(
    postgresql_run_environment: RunEnvironment, postgresql_test_server: PostgresqlServer
) -> None:
    length = RunLength(rounds=2)

    report = kill_runs.kill_postgresql_under_load(postgresql_run_environment, postgresql_test_server, length)

    print(report)
    assert report.is_lossless(at_least=15)
    assert report.kills == 2
    assert report.log.unavailable > 0
    assert max(report.recoveries) < 10

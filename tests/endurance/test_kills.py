"""Whatever is killed under load, at whatever moment: nothing that was acknowledged is lost.

Where one kind of database is named, `make endure` goes on with the other, too.
"""

from tests.endurance import events_run, handoffs_run, kill_runs, pending_tokens_run
from tests.endurance.kill_runs import RunEnvironment, RunLength
from tests.support.databases import on_postgresql, on_sqlite
from tests.support.postgresql_server import PostgresqlServer


def test_a_gunicorn_that_is_killed_loses_nothing_it_acknowledged(run_environment: RunEnvironment) -> None:
    length = RunLength(rounds=4)

    report = kill_runs.kill_gunicorn_under_load(run_environment, length)

    print(report)
    assert report.is_lossless(at_least=15)
    assert report.kills == 4


@on_sqlite
def test_a_worker_that_is_killed_loses_nobody_who_registered_while_aws_was_down(
    run_environment: RunEnvironment,
) -> None:
    report = pending_tokens_run.kill_worker_during_retries(run_environment, registered=10, kills=2)

    print(report)
    assert report.is_lossless(at_least=8)
    assert report.kills == 2


@on_postgresql
def test_workers_that_are_killed_apply_every_event_once_whatever_their_order(run_environment: RunEnvironment) -> None:
    report = events_run.kill_workers_during_events(run_environment, purchases=20, kills=1)

    print(report)
    assert report.is_lossless(at_least=70)
    assert report.kills == 1


@on_sqlite
def test_workers_that_are_killed_hand_off_everything_in_order(run_environment: RunEnvironment) -> None:
    report = handoffs_run.kill_workers_during_handoffs(run_environment, purchases=8, kills=1)

    print(report)
    assert report.is_lossless(at_least=32)
    assert report.kills == 1


def test_a_postgresql_that_is_killed_loses_nothing_and_is_used_again_at_once(
    postgresql_run_environment: RunEnvironment, postgresql_test_server: PostgresqlServer
) -> None:
    length = RunLength(rounds=2)

    report = kill_runs.kill_postgresql_under_load(postgresql_run_environment, postgresql_test_server, length)

    print(report)
    assert report.is_lossless(at_least=15)
    assert report.kills == 2
    assert report.ledger.unavailable > 0
    assert max(report.recoveries) < 10

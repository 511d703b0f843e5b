"""Whatever is killed under load, at whatever moment: nothing that was acknowledged is lost.

Where one kind of database is named, `make endure` goes on with the other, too.
"""

from tests.databases import on_postgresql, on_sqlite
from tests.endurance import events, handoffs, parked, runs
from tests.endurance.postgresql import PostgreSQL
from tests.endurance.runs import Length, Stage


def test_a_gunicorn_that_is_killed_loses_nothing_it_acknowledged(stage: Stage) -> None:
    length = Length(rounds=4)

    report = runs.gunicorn_killed(stage, length)

    print(report)
    assert report.nothing_lost(at_least=15)
    assert report.kills == 4


@on_sqlite
def test_a_worker_that_is_killed_loses_nobody_who_registered_while_aws_was_down(stage: Stage) -> None:
    report = parked.worker_killed(stage, registered=10, kills=2)

    print(report)
    assert report.nothing_lost(at_least=8)
    assert report.kills == 2


@on_postgresql
def test_workers_that_are_killed_apply_every_event_once_whatever_their_order(stage: Stage) -> None:
    report = events.workers_killed(stage, purchases=20, kills=1)

    print(report)
    assert report.nothing_lost(at_least=70)
    assert report.kills == 1


@on_sqlite
def test_workers_that_are_killed_hand_off_everything_in_order(stage: Stage) -> None:
    report = handoffs.workers_killed(stage, purchases=8, kills=1)

    print(report)
    assert report.nothing_lost(at_least=32)
    assert report.kills == 1


def test_a_postgresql_that_is_killed_loses_nothing_and_is_used_again_at_once(
    own_stage: Stage, own_server: PostgreSQL
) -> None:
    length = Length(rounds=2)

    report = runs.postgresql_killed(own_stage, own_server, length)

    print(report)
    assert report.nothing_lost(at_least=15)
    assert report.kills == 2
    assert report.ledger.refused > 0
    assert max(report.recoveries) < 10

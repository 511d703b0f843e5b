"""Several workers and requests at once: each item is in one hour, and each hour is sent once."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select

from app import create_app
from app.database import transactions
from app.models import UsageHour, UsageItem
from app.services.billing import freeze, journal, send
from app.services.metering import clock
from sandbox.metering import dimensions
from tests.support import factories
from tests.support.at_once import count_deadlocks, run_at_once
from tests.support.databases import on_postgresql
from tests.support.metered_product import MeteredProduct, at

DIMENSIONS = [dimension.key for dimension in dimensions.METERED]


def items_are_in_their_hours() -> bool:
    """Return whether each hour has the sum of its items, and was frozen with it."""
    with transactions.current_database().read_engine.connect() as connection:
        hours = connection.execute(select(UsageHour.__table__)).all()
        items = connection.execute(select(UsageItem.__table__)).all()
    return all(
        sum(item.micros for item in items if item.hour_id == hour.id) == hour.micros == hour.quantity for hour in hours
    )


@on_postgresql
def test_item_that_comes_while_its_hour_is_frozen_is_in_one_hour(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    for round_number in range(8):
        hour = at("10:00") + timedelta(hours=round_number)
        metered.set_clock(hour + timedelta(minutes=30))
        metered.use(purchase, "1")
        # One before the hour is frozen, and others during that.
        metered.set_clock(hour + timedelta(minutes=69, seconds=59))
        metered.use(purchase, "1", at=hour + timedelta(minutes=31))
        items = [metered.item(purchase, "1", at=hour + timedelta(minutes=32)) for _ in range(6)]
        metered.set_clock(hour + timedelta(minutes=70))
        run_at_once(metered.app, metered.freeze, *(lambda item=item: metered.accept(item) for item in items))
        metered.freeze()
    metered.work_until(at("20:00"))

    assert len(metered.accepted) == 8 * 8
    assert items_are_in_their_hours()
    metered.assert_all_billed()


@on_postgresql
def test_two_workers_send_each_hour_once(metered: MeteredProduct) -> None:
    for _ in range(16):
        purchase = metered.buy()
        metered.accept(*(metered.item(purchase, dimension=name) for name in DIMENSIONS))
    metered.set_clock(at("10:10"))

    def work() -> None:
        pauses = send.Pauses()
        # Neither gives up while the other freezes or claims.
        for _ in range(12):
            freeze.freeze_due()
            send.send_next(pauses)

    run_at_once(metered.app, work, work, work)
    metered.work()

    sent = [(record["LicenseArn"], record["Dimension"]) for call in metered.calls() for record in call.records]
    assert len(sent) == len(set(sent)) == 80
    metered.assert_all_billed()


@on_postgresql
def test_requests_with_the_same_items_and_events_do_not_deadlock(metered: MeteredProduct) -> None:
    metered.set_rules(dimensions=())
    purchases = [metered.buy() for _ in range(6)]
    items = [metered.item(one, "1", dimension=name, at=at("09:30")) for one in purchases for name in DIMENSIONS]
    others = [metered.item(one, "1", dimension=name, at=at("09:31")) for one in purchases for name in DIMENSIONS]
    before = count_deadlocks()

    for _ in range(3):
        run_at_once(
            metered.app,
            lambda: metered.accept(*items),
            lambda: metered.accept(*reversed(items)),
            lambda: metered.accept(*others[::2], *items[::3]),
            lambda: metered.act(purchases[0], "cancel" if metered.now == at("09:30") else ""),
            metered.work,
        )
        metered.advance(minutes=40)
    metered.accept(*others)
    metered.work_until(at("12:30"))

    assert count_deadlocks() == before
    metered.assert_all_billed()


@on_postgresql
def test_merge_while_usage_is_sent_does_not_deadlock(metered: MeteredProduct) -> None:
    pairs = []
    for number in range(4):
        before = metered.buy(account_id=f"01234567890{number}")
        metered.accept(*(metered.item(before, dimension=name) for name in DIMENSIONS))
        pairs.append(before)
    metered.set_clock(at("10:10"))
    afters = []
    for before in pairs:
        metered.sandbox.marketplace.apply_action(before, "renew", new_license=True)
        afters.append(metered.sandbox.marketplace.get_purchase(before.id))
        metered.land(afters[-1], agreement_id=None)
        metered.accept(*(metered.item(afters[-1], dimension=name) for name in DIMENSIONS))
    before_count = count_deadlocks()

    run_at_once(
        metered.app,
        metered.deliver_events,
        metered.work,
        metered.work,
        lambda: metered.accept(*(metered.item(one, "2", dimension=name) for one in afters for name in DIMENSIONS)),
    )
    metered.work_until(at("11:30"))

    assert all(metered.subscription(one).former_ids for one in afters)
    assert count_deadlocks() == before_count
    metered.assert_all_billed()


@on_postgresql
def test_worker_whose_clock_is_wrong_takes_no_lease(environment: pytest.MonkeyPatch) -> None:
    before = datetime.now(UTC)
    with (
        factories.open_app(create_app(), compares_clocks=True) as other,
        time_machine.travel(before + timedelta(minutes=5)),
        other.app_context(),
    ):
        # The first connection compares the clocks.
        assert journal.claim_next() is None

        assert clock.now() - before < timedelta(minutes=1)

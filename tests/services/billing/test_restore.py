"""Yesterday's backup is restored: what AWS has billed since is not billed again, and what differs is shown."""

from decimal import Decimal

import pytest
from sqlalchemy import delete, insert, select

from app.database.transactions import current_database
from app.models import UsageAttempt, UsageHour, UsageItem, UsageRemainder
from tests.support.metered_product import DIMENSION, MeteredProduct, at

TABLES = (UsageHour, UsageItem, UsageRemainder, UsageAttempt)


class Backup:
    """The tables of usage as they were."""

    def __init__(self) -> None:
        with current_database().read_engine.connect() as connection:
            found = {table: connection.execute(select(table.__table__)).mappings().all() for table in TABLES}
        self._rows = {table: [dict(row) for row in rows] for table, rows in found.items()}

    def restore(self) -> None:
        with current_database().write_engine.begin() as connection:
            for table in (UsageItem, UsageHour, UsageRemainder, UsageAttempt):
                connection.execute(delete(table))
            for table, rows in self._rows.items():
                if rows:
                    connection.execute(insert(table), rows)


@pytest.mark.parametrize(("repeat_is_duplicate", "state"), [(False, "billed"), (True, "conflict")])
def test_hours_sent_since_the_backup_are_not_billed_again(
    metered: MeteredProduct, repeat_is_duplicate: bool, state: str
) -> None:
    metered.sandbox.marketplace.change_faults(repeat_is_duplicate=repeat_is_duplicate)
    purchase = metered.buy()
    metered.use(purchase, "1")
    metered.set_clock(at("10:05"))
    metered.use(purchase, "2")
    backup = Backup()
    metered.work_until(at("11:20"))
    assert metered.states() == ["billed", "billed"]

    metered.set_clock(at("08:00", day=29))
    backup.restore()
    metered.work_until(at("08:30", day=29))

    assert metered.states() == [state, state]
    assert metered.billed() == metered.expected()


def test_hour_with_items_that_the_backup_lacks_is_a_conflict(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.use(purchase, "1")
    backup = Backup()
    later = metered.use(purchase, "2")
    metered.work_until(at("10:20"))

    metered.set_clock(at("10:30"))
    backup.restore()
    metered.work()
    assert metered.states() == ["conflict"]
    # The product sends again what Foyer does not know any more.
    [verdict] = metered.accept(later)
    metered.work_until(at("12:00"))

    assert verdict.verdict == "accepted"
    assert [record.quantity for record in metered.records() if record.hour == at("09:00")] == [Decimal(3)]


def test_items_of_before_a_day_are_held_after_a_restore(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    backup = Backup()
    item = metered.use(purchase, "2")
    metered.work_until(at("10:20"))

    metered.set_clock(at("12:00", day=29))
    backup.restore()
    metered.set_rules(late_usage="hold")
    [verdict] = metered.accept(item)
    metered.work_until(at("14:00", day=29))

    assert (verdict.detail or "").startswith("Held")
    assert metered.billed() == {(purchase.license_arn, "2026-11", DIMENSION): Decimal(2)}

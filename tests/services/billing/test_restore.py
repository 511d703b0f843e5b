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


def describe_restore(metered: MeteredProduct) -> list[str]:
    """Return the paragraphs about usage that the command after a restore prints."""
    result = metered.app.test_cli_runner().invoke(args=["db", "after-restore"])
    assert result.exit_code == 0, result.output
    return result.stdout.strip().split("\n\n")[1:]


def test_restore_without_usage_speaks_of_none(metered: MeteredProduct) -> None:
    metered.buy()

    assert describe_restore(metered) == []


def test_restore_tells_which_hours_are_sent_again_and_which_expire(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.use(purchase, "1")
    metered.work_until(at("10:20"))
    metered.use(purchase, "2")
    metered.set_clock(at("11:40"))
    metered.accept(*(metered.item(purchase, "2", dimension=name) for name in (DIMENSION, "api_calls")))
    backup = Backup()
    metered.work_until(at("12:30"))

    metered.set_clock(at("10:30", day=29))
    backup.restore()
    since, hold, again, sent, too_old = describe_restore(metered)

    assert since == (
        "Usage: the backup has what came until 2026-11-28 11:40 UTC. Of what AWS was sent since, Foyer knows nothing."
    )
    assert 'set late_usage = "hold" for prodcode1234567890 in products.toml' in hold
    assert "send again what it has sent since" in again
    assert "sent now, with the quantities that the backup has: 2." in sent
    assert "not billed then, and that AWS takes no more: 1." in too_old
    # As the command says.
    metered.work()
    assert metered.states() == ["billed", "expired", "billed", "billed"]


def test_restore_tells_of_held_items_and_of_no_setting_that_is_right(metered: MeteredProduct) -> None:
    metered.set_rules(late_usage="hold")
    purchase = metered.buy()
    metered.use(purchase, "1")
    metered.work_until(at("10:20"))
    metered.accept(metered.item(purchase, at=at("09:40")))

    since, again, held = describe_restore(metered)

    assert ("until 2026-11-28 10:20 UTC" in since, "the same ids" in again) == (True, True)
    assert held.startswith("Items that were held then: 1.")

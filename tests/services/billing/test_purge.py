"""Calls of long ago are deleted, and the tags of usage of erased customers, once it is settled."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, text, update

from app.database.transactions import current_database
from app.models import AuditEntry, UsageAttempt, UsageHour, UsageItem
from app.services.billing import purge
from sandbox.faults import Faults
from sandbox.purchases import Purchase
from tests.support.databases import on_sqlite
from tests.support.metered_product import MeteredProduct, at
from tests.support.outbox_messages import register_customer, registration_id_of
from tests.support.stored_rows import all_rows


def register(metered: MeteredProduct, purchase: Purchase) -> str:
    """Let the buyer register, and return the registration's id."""
    customer = {
        "license_arn": purchase.license_arn,
        "customer_aws_account_id": purchase.account_id,
        "agreement_id": purchase.agreement_id,
    }
    return str(registration_id_of(metered.app, register_customer(metered.app, customer)))


def erase(metered: MeteredProduct, registration_id: str) -> None:
    """Erase the person as an operator does."""
    result = metered.app.test_cli_runner().invoke(args=["registrations", "erase", registration_id, "--yes"])
    assert result.exit_code == 0, result.output


def set_clock_before_now(metered: MeteredProduct) -> datetime:
    """Let the usage be of before the erasure, which the database's clock dates; return the start of the hour."""
    hour = (datetime.now(UTC) - timedelta(hours=4)).replace(minute=0, second=0, microsecond=0)
    metered.set_clock(hour + timedelta(minutes=20))
    return hour


def tags_of_items(metered: MeteredProduct) -> dict[str, Any]:
    return {item.item_id: item.tags for item in all_rows(metered.app, UsageItem)}


def test_erasure_clears_the_tags_of_billed_usage(metered: MeteredProduct) -> None:
    hour = set_clock_before_now(metered)
    purchase, other = metered.buy(), metered.buy()
    registration_id = register(metered, purchase)
    for of, name in ((purchase, "tagged"), (other, "others")):
        metered.use(of, "2", id=name, tags={"user": "ada"})
    metered.set_clock(hour + timedelta(hours=1, minutes=10))
    metered.work()
    metered.set_clock(hour + timedelta(hours=1, minutes=20))
    metered.use(purchase, "2", id="open", tags={"user": "ada"})

    erase(metered, registration_id)

    assert tags_of_items(metered) == {"tagged": None, "others": {"user": "ada"}, "open": {"user": "ada"}}
    billed = [row for row in metered.hours() if row.state == "billed"]
    assert sorted((row.allocations is None, row.quantity) for row in billed) == [(False, 2_000_000), (True, 2_000_000)]


def test_tags_of_unsent_usage_are_erased_once_it_is_billed(metered: MeteredProduct) -> None:
    hour = set_clock_before_now(metered)
    purchase = metered.buy()
    registration_id = register(metered, purchase)
    metered.use(purchase, id="unsent", tags={"user": "ada"})
    metered.sandbox.marketplace.faults = Faults(metering_errors=1000)
    metered.set_clock(hour + timedelta(hours=1, minutes=10))
    metered.work()
    erase(metered, registration_id)
    assert tags_of_items(metered) == {"unsent": {"user": "ada"}}
    metered.sandbox.marketplace.faults = Faults()
    metered.advance(minutes=10)
    metered.work()

    purge.purge()

    assert tags_of_items(metered) == {"unsent": None}
    assert [call.records[0]["UsageAllocations"][0]["Tags"] for call in metered.calls()] == [
        [{"Key": "user", "Value": "ada"}]
    ] * 2


@on_sqlite
def test_tags_of_usage_after_the_erasure_stay(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    registration_id = register(metered, purchase)
    erase(metered, registration_id)
    metered.set_clock(datetime.now(UTC).replace(minute=20) + timedelta(hours=2))
    metered.use(purchase, id="later", tags={"user": "bob"})
    metered.advance(hours=1)
    metered.work()

    purge.purge()

    assert (metered.states(), tags_of_items(metered)) == (["billed"], {"later": {"user": "bob"}})


@on_sqlite
def test_tags_of_items_that_were_written_off_are_erased(metered: MeteredProduct) -> None:
    set_clock_before_now(metered)
    purchase = metered.buy()
    registration_id = register(metered, purchase)
    metered.use(purchase, id="held", at=metered.now - timedelta(days=2), tags={"user": "ada"})
    metered.use(purchase, id="written-off", at=metered.now - timedelta(days=2), tags={"user": "ada"})
    with current_database().write_engine.begin() as connection:
        connection.execute(text("UPDATE usage_items SET hour_id = NULL"))
        connection.execute(text("UPDATE usage_items SET written_off_at = received_at WHERE item_id = 'written-off'"))

    erase(metered, registration_id)

    assert tags_of_items(metered) == {"held": {"user": "ada"}, "written-off": None}


def move_erasure(days: int) -> None:
    """Let the erasure be so many days earlier than it was."""
    with current_database().write_engine.begin() as connection:
        for entry in connection.execute(select(AuditEntry.id, AuditEntry.at)).all():
            earlier = update(AuditEntry).where(AuditEntry.id == entry.id).values(at=entry.at - timedelta(days=days))
            connection.execute(earlier)


def test_tags_of_items_that_are_held_for_long_are_erased(metered: MeteredProduct) -> None:
    set_clock_before_now(metered)
    metered.set_rules(late_usage="hold")
    purchase, other = metered.buy(), metered.buy()
    registration_id = register(metered, purchase)
    for of, name in ((purchase, "held"), (other, "others")):
        metered.accept(metered.item(of, id=name, at=metered.now - timedelta(days=60), tags={"user": "ada"}))
    metered.accept(metered.item(purchase, id="later", at=metered.now - timedelta(days=20), tags={"user": "bob"}))
    erase(metered, registration_id)
    assert tags_of_items(metered)["held"] == {"user": "ada"}

    move_erasure(days=36)
    purge.purge()

    assert tags_of_items(metered) == {"held": None, "others": {"user": "ada"}, "later": {"user": "bob"}}


def test_tags_of_items_that_were_billed_in_a_later_hour_are_erased(metered: MeteredProduct) -> None:
    set_clock_before_now(metered)
    purchase = metered.buy()
    registration_id = register(metered, purchase)
    erase(metered, registration_id)
    move_erasure(days=2)
    metered.set_clock(hour := datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1))
    metered.use(purchase, id="later", tags={"user": "bob"})
    late = metered.item(purchase, id="late", at=hour - timedelta(days=2, hours=1), tags={"user": "ada"})
    # Where the month has changed meanwhile, the item is held.
    metered.accept(late)
    with current_database().write_engine.begin() as connection:
        hour_id = connection.scalar(select(UsageHour.id))
        connection.execute(update(UsageItem).values(hour_id=hour_id))
        connection.execute(update(UsageItem).where(UsageItem.item_id == "late").values(is_late=True))
    metered.set_clock(hour + timedelta(hours=1, minutes=10))
    metered.work()

    purge.purge()

    assert tags_of_items(metered) == {"late": None, "later": {"user": "bob"}}
    assert [row.allocations for row in metered.hours()] == [None]


def test_many_tagged_items_are_erased_in_batches(metered: MeteredProduct) -> None:
    hour = set_clock_before_now(metered)
    purchase = metered.buy()
    registration_id = register(metered, purchase)
    metered.accept(*(metered.item(purchase, tags={"user": str(number % 9)}) for number in range(600)))
    metered.set_clock(hour + timedelta(hours=1, minutes=10))
    metered.work()

    erase(metered, registration_id)

    assert set(tags_of_items(metered).values()) == {None}
    assert metered.hours()[0].allocations is None


def test_calls_are_deleted_after_90_days(metered: MeteredProduct) -> None:
    metered.use(metered.buy())
    metered.set_clock(at("10:10"))
    metered.work()

    metered.set_clock(at("10:10") + timedelta(days=90))
    purge.purge()
    assert len(all_rows(metered.app, UsageAttempt)) == 1
    metered.advance(minutes=1)
    purge.purge()
    assert all_rows(metered.app, UsageAttempt) == []
    assert metered.states() == ["billed"]

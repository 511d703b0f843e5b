"""Usage is billed: once, in its hour, and with the same sum as the accepted items."""

from decimal import Decimal

from app.services.billing import freeze, send
from tests.support.metered_product import DIMENSION, MeteredProduct, at


def test_hour_is_billed_after_its_grace(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.set_clock(at("10:20"))
    metered.use(purchase, "1.5")
    metered.use(purchase, "0.25")

    metered.set_clock(at("11:09"))
    metered.work()
    assert metered.states() == ["open"]
    metered.set_clock(at("11:10"))
    metered.work()

    assert metered.states() == ["billed"]
    assert metered.billed() == {(purchase.license_arn, "2026-11", DIMENSION): Decimal("1.75")}
    [record] = metered.records()
    assert (record.hour, record.form) == (at("10:00"), "license")
    assert metered.hours()[0].metering_record_id == record.metering_record_id


def test_nothing_that_is_due_is_no_failure(metered: MeteredProduct) -> None:
    metered.use(metered.buy())

    # False would let the worker wait for longer and longer.
    assert (freeze.freeze_due(), send.send_next()) == (None, None)

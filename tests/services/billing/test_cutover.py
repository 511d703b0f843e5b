"""An old listing's customer gets a license: an hour that was begun by the product code goes on so."""

import pytest

from sandbox.purchases import Purchase
from tests.support.metered_product import DIMENSION, MeteredProduct, at


@pytest.fixture
def purchase(metered: MeteredProduct) -> Purchase:
    """A purchase of an old listing."""
    return metered.buy(style="old")


def get_license(metered: MeteredProduct, purchase: Purchase) -> Purchase:
    """Let the listing have licenses from now on, and the buyer land with one."""
    licensed = metered.grant_license(purchase)
    metered.land(licensed)
    return licensed


def forms(metered: MeteredProduct) -> list[tuple[int, str, str]]:
    """Return the hour, the dimension and the form of each record."""
    return sorted((record.hour.hour, record.dimension, record.form) for record in metered.records())


def test_hour_goes_on_by_the_product_code_and_the_next_by_the_license(
    metered: MeteredProduct, purchase: Purchase
) -> None:
    subscription = str(metered.subscription(purchase).id)
    metered.use(purchase, "1")
    metered.set_clock(at("09:40"))
    licensed = get_license(metered, purchase)
    metered.use(purchase, "2", subscription=subscription)
    metered.use(licensed, "4", dimension="api_calls")
    metered.set_clock(at("10:05"))
    metered.use(licensed, "8")

    metered.work_until(at("11:10"))

    assert forms(metered) == [
        (9, "api_calls", "product_code"),
        (9, DIMENSION, "product_code"),
        (10, DIMENSION, "license"),
    ]
    assert sum(record.quantity for record in metered.records()) == 15
    assert set(metered.states()) == {"billed"}


def test_late_item_of_before_goes_to_an_hour_of_one_form(metered: MeteredProduct, purchase: Purchase) -> None:
    subscription = str(metered.subscription(purchase).id)
    metered.use(purchase, "1")
    metered.work_until(at("10:11"))
    licensed = get_license(metered, purchase)
    metered.use(licensed, "2")
    metered.use(purchase, "4", subscription=subscription, at=at("09:59"))
    metered.use(purchase, "8", subscription=subscription, at=at("09:58"), dimension="api_calls")

    metered.work_until(at("11:10"))

    assert forms(metered) == [
        (9, "api_calls", "product_code"),
        (9, DIMENSION, "product_code"),
        (10, DIMENSION, "license"),
    ]
    assert sum(record.quantity for record in metered.records()) == 15


def test_late_item_of_before_waits_for_no_hour_by_the_product_code(metered: MeteredProduct, purchase: Purchase) -> None:
    subscription = str(metered.subscription(purchase).id)
    metered.use(purchase, "1")
    metered.work_until(at("10:11"))
    licensed = get_license(metered, purchase)
    metered.use(purchase, "4", subscription=subscription, at=at("09:59"))
    metered.use(licensed, "2")
    metered.use(licensed, "8", dimension="api_calls")

    metered.work_until(at("11:10"))

    assert len({form for hour, _, form in forms(metered) if hour == 10}) == 1
    assert sum(record.quantity for record in metered.records()) == 15

"""Usage that comes late: it is billed in a later hour of the same license and month, or held, and never lost."""

import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.models import UsageHour, UsageItem
from app.services.metering import quantity
from tests.support import factories
from tests.support.factories import PRODUCT_CODE
from tests.support.metered_product import MeteredProduct, at
from tests.support.stored_rows import all_rows
from tests.views.api.conftest import UsageSender

PRODUCTS_FILE = f"""
[products.{PRODUCT_CODE}]
name = "Acme Insights"
pricing = "subscription"
sign_in_url = "https://app.acme.example/login"
support_email = "help@acme.example"

[products.{PRODUCT_CODE}.usage]
late_usage = "hold"
"""
ROUNDS = 5


@pytest.fixture
def holding_product(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A product whose late usage is held. The environment is that of `usage`, which is to be asked for after this."""
    path = tmp_path / "products.toml"
    path.write_text(PRODUCTS_FILE)
    factories.use_products_file(environment, path)


def freeze_hours(metered: MeteredProduct) -> None:
    """Freeze what is due, as a worker does, in any thread."""
    with metered.app.app_context():
        metered.freeze()


def placed(app: Flask) -> list[tuple[str, datetime | None, bool]]:
    """Return each item's id, the hour in which it is billed, and whether it was late."""
    by_id = {hour.id: hour.hour for hour in all_rows(app, UsageHour)}
    return [
        (item.item_id, by_id[item.hour_id] if item.hour_id else None, item.is_late) for item in all_rows(app, UsageItem)
    ]


def test_item_around_the_freeze_is_in_exactly_one_hour(app: Flask, usage: UsageSender) -> None:
    metered = usage.metered
    purchase = metered.buy()
    usage.send(metered.item(purchase, "1"))
    items = [metered.item(purchase, "1") for _ in range(3)]
    for moment, item in zip(("10:09:59", "10:10:00", "10:10:01"), items, strict=True):
        metered.set_clock(at(moment))
        [verdict] = usage.send(item)
        metered.work()

    assert [hour for _, hour, _ in placed(app)] == [at("09:00"), at("09:00"), at("09:00"), at("10:00")]
    assert verdict["detail"] == "Late: it is billed in the hour 2026-11-28T10:00Z."
    assert usage.statuses(*items) == [200] * 3
    metered.set_clock(at("11:10"))
    metered.work()
    assert [str(one) for one in metered.billed().values()] == ["4"]


def test_items_during_the_freeze_are_all_billed(app: Flask, usage: UsageSender) -> None:
    metered = usage.metered
    purchase = metered.buy()
    for number in range(ROUNDS):
        metered.set_clock(at(f"{10 + number}:09"))
        batches = [[metered.item(purchase, "0.1", at=at(f"{9 + number:02d}:50")) for _ in range(20)] for _ in range(3)]
        usage.send(*batches[0])
        metered.set_clock(at(f"{10 + number}:11"))

        threads = [threading.Thread(target=usage.send, args=batch) for batch in batches[1:]]
        threads.append(threading.Thread(target=freeze_hours, args=[metered]))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    sums: dict[Any, int] = {}
    for item in all_rows(app, UsageItem):
        sums[item.hour_id] = sums.get(item.hour_id, 0) + quantity.join(item.micros, item.picos)
    assert sum(sums.values()) == quantity.parse("6") * ROUNDS
    metered.set_clock(at("23:00"))
    metered.freeze()
    for hour in all_rows(app, UsageHour):
        assert sums[hour.id] == quantity.join(hour.micros, hour.picos) == quantity.join(hour.quantity or 0, 0)


def test_late_items_join_the_next_open_hour(app: Flask, usage: UsageSender) -> None:
    metered = usage.metered
    purchase = metered.buy()
    for moment in ("09:40", "10:40"):
        metered.set_clock(at(moment))
        usage.send(metered.item(purchase, "1"))
    metered.set_clock(at("11:15"))
    metered.freeze()
    [on_time] = usage.send(metered.item(purchase, "1"))
    late = [metered.item(purchase, "1", at=at(moment)) for moment in ("09:50", "10:50", "09:55")]
    metered.set_clock(at("12:05"))

    verdicts = usage.send(*late, metered.item(purchase, "1"))

    assert "detail" not in on_time
    assert [verdict.get("detail", "")[:5] for verdict in verdicts] == ["Late:", "Late:", "Late:", ""]
    # Hour 11 is in its grace time; the item of 12:05 alone is in hour 12.
    assert usage.sums() == {at("09:00"): "1", at("10:00"): "1", at("11:00"): "4", at("12:00"): "1"}
    assert [is_late for _, _, is_late in placed(app)] == [False, False, False, True, True, True, False]


def test_item_of_more_than_a_day_ago_is_billed_now(usage: UsageSender) -> None:
    purchase = usage.metered.buy()

    [verdict] = usage.send(usage.metered.item(purchase, "1", at=at("09:00", day=27)))

    assert verdict["detail"] == "Late: it is billed in the hour 2026-11-28T09:00Z."
    assert usage.sums() == {at("09:00"): "1"}


@pytest.mark.usefixtures("holding_product")
def test_late_item_is_held_where_the_product_says_so(request: pytest.FixtureRequest) -> None:
    usage: UsageSender = request.getfixturevalue("usage")
    metered = usage.metered
    purchase = metered.buy()
    usage.send(metered.item(purchase, "1"))
    metered.set_clock(at("10:15"))
    metered.work()
    item = metered.item(purchase, "1", at=at("09:50"))

    [verdict] = usage.send(item)

    assert (verdict["status"], verdict["detail"][:5]) == (200, "Held:")
    assert placed(metered.app)[1] == (item["id"], None, True)
    assert usage.statuses(item) == [200]
    assert usage.sums() == {at("09:00"): "1"}


def test_late_item_never_moves_into_another_month(app: Flask, usage: UsageSender) -> None:
    metered = usage.metered
    purchase = metered.buy()
    metered.set_clock(at("22:30", day=30))
    usage.send(metered.item(purchase, "1"))
    metered.set_clock(at("00:05", day=1, month=12))
    metered.work()
    usage.send(metered.item(purchase, "1", at=at("23:30", day=30)))

    [in_grace] = usage.send(metered.item(purchase, "1", at=at("22:45", day=30)))
    metered.set_clock(at("00:30", day=1, month=12))
    metered.work()
    [held] = usage.send(metered.item(purchase, "1", at=at("22:50", day=30)))

    assert in_grace["detail"] == "Late: it is billed in the hour 2026-11-30T23:00Z."
    assert held["detail"].startswith("Held:")
    assert [hour for _, hour, _ in placed(app)][3] is None
    assert usage.sums() == {at("22:00", day=30): "1", at("23:00", day=30): "2"}


def test_late_item_after_the_last_hour_is_billed_is_refused(usage: UsageSender) -> None:
    metered = usage.metered
    purchase = metered.buy()
    usage.send(metered.item(purchase, "1"))
    metered.act(purchase, "expire")
    metered.set_clock(at("10:29:50"))
    metered.work()

    response = usage.post([metered.item(purchase, "1", at=at("09:20"))])

    assert response.status_code == 409
    assert "last hour is billed already" in response.json()["items"][0]["detail"]

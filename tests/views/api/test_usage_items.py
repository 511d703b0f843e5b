"""Items of usage over HTTP: each gets a verdict of its own, and counts once, exactly, in its hour of UTC."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from app.models import UsageItem
from app.services.api import tokens
from app.services.metering import items, tag_limits
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE
from tests.support.metered_product import at
from tests.support.stored_rows import all_rows
from tests.views.api.conftest import UsageSender

FIVE_TAGS = {f"key {number} + -=._:/@": "Value 1" for number in range(5)}
INVALID_ITEMS: list[tuple[dict[str, Any], str]] = [
    ({"id": None}, "id is missing"),
    ({"id": ""}, "id must be a text of 1 to 255"),
    ({"id": "x" * 100_000}, "id must be a text of 1 to 255"),
    ({"id": "a\x00b"}, "printable"),
    ({"id": "\ud800"}, "printable"),
    ({"id": 7}, "id must be a text"),
    ({"dimension": "requests\n"}, "dimension must be a text"),
    ({"subscription": ["x"]}, "subscription must be a text"),
    ({"customer": "x"}, "no field 'customer'"),
    ({"\ud800" * 50: "x"}, "The fields are id, subscription, dimension"),
    ({"at": "2026-11-28T09:30:00"}, "with its zone"),
    ({"at": "2026-11-28"}, "with its zone"),
    ({"at": 1795858200}, "with its zone"),
    ({"at": "2026-11-28T24:00:00Z"}, "with its zone"),
    ({"at": "2026-02-29T09:00:00Z"}, "with its zone"),
    ({"at": "0001-01-01T00:00:00+14:00"}, "with its zone"),
    ({"at": "2026-11-28T09:35:01Z"}, "lies in the future"),
    ({"tags": {**FIVE_TAGS, "sixth": "x"}}, "at most 5"),
    ({"tags": {"team": ""}}, "tag 'team' is invalid"),
    ({"tags": {"team": "Kühe"}}, "tag 'team' is invalid"),
    ({"tags": {"": "x"}}, "tag '' is invalid"),
    ({"tags": {"team": "x" * 257}}, "tag 'team' is invalid"),
    ({"tags": {"x" * 101: "x"}}, "is invalid"),
    ({"tags": {"team": 1}}, "tag 'team' is invalid"),
    ({"tags": ["team"]}, "tags must be an object"),
]
REFUSED_QUANTITIES = ["10000000000", "1e10", "-1", "-0", "NaN", "1e3", "01", " 1", "1,5", "1_000", "٣", "", "1.", ".5"]
# What an item says -> the time at which it is sent, and the hour that it counts in.
TIMES = {
    "2026-10-25T02:30:00+02:00": ("2026-10-25T06:00:00Z", "2026-10-25T00:00Z"),
    "2026-10-25T02:30:00+01:00": ("2026-10-25T06:00:00Z", "2026-10-25T01:00Z"),
    "2026-03-08t02:30:00.123456789-08:00": ("2026-03-08T12:00:00Z", "2026-03-08T10:00Z"),
    "2026-06-30 23:59:60z": ("2026-06-30T23:59:59Z", "2026-06-30T23:00Z"),
    "2028-02-29T23:59:59.999999Z": ("2028-03-01T00:05:00Z", "2028-02-29T23:00Z"),
    "2027-01-01T00:30:00+05:30": ("2026-12-31T19:30:00Z", "2026-12-31T19:00Z"),
}


def test_same_item_counts_once_and_other_content_is_a_conflict(app: Flask, usage: UsageSender) -> None:
    purchase = usage.metered.buy()
    item = usage.metered.item(purchase, "17", tags={"b": "2", "a": "1"})
    by_id = {**item, "subscription": str(usage.metered.subscription(purchase).id)}
    moved = {**item, "at": at("09:29").isoformat()}

    assert usage.statuses(item, item) == [200, 200]
    assert usage.statuses(item, {**item, "quantity": "17.00", "tags": {"a": "1", "b": "2"}}, by_id) == [200] * 3
    response = usage.post([{**item, "quantity": "17.1"}, {**item, "tags": None}, moved, {**item, "dimension": "other"}])

    assert response.status_code == 409
    assert [verdict["verdict"] for verdict in response.json()["items"]] == ["conflict"] * 4
    assert "new id" in response.json()["items"][0]["detail"]
    assert usage.sums() == {at("09:00"): "17"}
    assert len(all_rows(app, UsageItem)) == 1


def test_same_id_in_one_request_counts_once(usage: UsageSender) -> None:
    item = usage.metered.item(usage.metered.buy(), "17")
    in_another_hour = {**item, "at": at("08:30").isoformat()}

    assert usage.statuses(item, in_another_hour, item) == [200, 409, 200]
    assert usage.sums() == {at("09:00"): "17"}


def test_small_and_large_quantities_are_exact(usage: UsageSender) -> None:
    purchase = usage.metered.buy()
    small = [usage.metered.item(purchase, "0.0000004") for _ in range(1000)]
    large = usage.metered.item(purchase, "9999999999.999599999999")

    assert set(usage.statuses(*small)) == {200}
    assert usage.sums() == {at("09:00"): "0.0004"}
    assert usage.statuses(large) == [200]
    assert usage.sums() == {at("09:00"): "9999999999.999999999999"}
    [verdict] = usage.send(usage.metered.item(purchase, "0.000000000001"))
    assert (verdict["status"], usage.sums()) == (422, {at("09:00"): "9999999999.999999999999"})
    assert "ten digits" in verdict["detail"]


def test_quantity_that_aws_cannot_take_is_refused(usage: UsageSender) -> None:
    purchase = usage.metered.buy()

    response = usage.post([usage.metered.item(purchase, text) for text in REFUSED_QUANTITIES])

    assert response.status_code == 422
    assert all('such as "1.5"' in verdict["detail"] for verdict in response.json()["items"])
    assert usage.sums() == {}


def test_each_invalid_item_is_refused_with_the_reason(app: Flask, usage: UsageSender) -> None:
    purchase = usage.metered.buy()
    good = usage.metered.item(purchase)

    response = usage.post([good, *({**usage.metered.item(purchase), **fields} for fields, _ in INVALID_ITEMS)])

    first, *others = response.json()["items"]
    assert (response.status_code, first["status"]) == (200, 200)
    for (fields, reason), verdict in zip(INVALID_ITEMS, others, strict=True):
        assert (verdict["status"], verdict["verdict"]) == (422, "refused"), fields
        assert reason in verdict["detail"]
        assert (verdict["id"] is None) == ("id" in fields)
    assert [row.item_id for row in all_rows(app, UsageItem)] == [good["id"]]


def test_hour_has_at_most_five_different_tags(usage: UsageSender) -> None:
    purchase = usage.metered.buy()

    assert usage.statuses(usage.metered.item(purchase, tags=FIVE_TAGS)) == [200]
    [refused, other_dimension] = usage.send(
        usage.metered.item(purchase, tags={"sixth": "x"}),
        usage.metered.item(purchase, tags={"sixth": "x"}, dimension="requests"),
    )

    assert refused["status"] == 422
    assert "more than 5 different tags: key 0" in refused["detail"]
    assert other_dimension["status"] == 200


def test_hour_has_at_most_2500_sets_of_tags(usage: UsageSender, app: Flask) -> None:
    purchase = usage.metered.buy()
    tagged = [usage.metered.item(purchase, tags={"user": str(number)}) for number in range(tag_limits.MAX_SETS + 1)]
    for start in range(0, tag_limits.MAX_SETS, items.MAX_ITEMS):
        statuses = usage.statuses(*tagged[start : start + items.MAX_ITEMS])

    assert statuses == [200] * 500 + [422]
    assert usage.statuses(usage.metered.item(purchase, tags={"user": "7"})) == [200]
    assert len(all_rows(app, UsageItem)) == tag_limits.MAX_SETS + 1


@pytest.mark.parametrize(("text", "expected"), TIMES.items(), ids=TIMES)
def test_hours_are_of_utc(usage: UsageSender, text: str, expected: tuple[str, str]) -> None:
    now, hour = datetime.fromisoformat(expected[0]), expected[1]
    usage.metered.set_clock(now - timedelta(days=1))
    purchase = usage.metered.buy()
    usage.metered.set_clock(now)

    assert usage.statuses(usage.metered.item(purchase, at=text)) == [200]
    assert [f"{stored:%Y-%m-%dT%H:00Z}" for stored in usage.sums()] == [hour]


def test_usage_of_others_and_after_the_end_is_refused(usage: UsageSender) -> None:
    metered = usage.metered
    ended = metered.buy()
    other = metered.buy(product_code=OTHER_PRODUCT_CODE)
    active = metered.buy()
    metered.act(ended, "expire")
    metered.advance(hours=2)
    _, usage.token = tokens.create("of one product", [PRODUCT_CODE], "operator:alice", [tokens.WRITE_USAGE])
    unknown = "arn:aws:license-manager::294406891311:license:l-00000000000000000000000000000000"

    wrong = [
        metered.item(other),
        metered.item(active, subscription=unknown),
        metered.item(active, subscription="01a207c8-85e3-70e1-8187-c3ad0186f92b"),
        metered.item(active, subscription="x"),
        metered.item(ended),
    ]

    assert usage.statuses(*wrong, metered.item(active)) == [404, 404, 404, 404, 409, 200]
    assert usage.post(wrong[:4]).status_code == 404
    _, usage.token = tokens.create("of another", [OTHER_PRODUCT_CODE], "operator:alice", [tokens.WRITE_USAGE])
    assert usage.statuses(metered.item(active)) == [404]
    _, usage.token = tokens.create("of all", None, "operator:alice", [tokens.WRITE_USAGE])
    late = usage.post(wrong[4:])
    assert late.status_code == 409
    assert "has taken no usage" in late.json()["items"][0]["detail"]


def test_request_of_half_bad_items_keeps_the_good_half(app: Flask, usage: UsageSender) -> None:
    purchase = usage.metered.buy()
    many = [usage.metered.item(purchase, "1" if number % 2 else "-1") for number in range(1001)]

    assert usage.post(many).status_code == 413
    assert all_rows(app, UsageItem) == []
    assert usage.statuses(*many[:1000]) == [422, 200] * 500
    assert usage.sums() == {at("09:00"): "500"}

"""GET /usage: hours newest first, in pages, by filters, of the token's products; and the hour of a single item."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert
from uuid_utils.compat import uuid7

from app.database import transactions
from app.models import UsageHour
from app.services.billing import freeze
from tests.support.databases import on_sqlite
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE
from tests.support.metered_product import DIMENSION, START, MeteredProduct, at
from tests.support.subscription_rows import insert_changed_at
from tests.views.api.conftest import ApiClient, CreateApiClient
from tests.views.api.test_problems import check_problem

INVALID_QUERIES: list[dict[str, Any]] = [
    {"state": "paid"},
    {"since": "2026-11-28"},
    {"until": "2026-11-28T14:00:00"},
    {"since": ["2026-11-28T14:00:00Z"] * 2},
    {"until": "0001-01-01T00:00:00+14:00"},
    {"subscription": ""},
    {"dimension": "a\x00"},
    {"cursor": "A" * 28},
    {"cursor": "AgAAAAAAAAAA"},
    {"limit": "0"},
    {"status": "open"},
]


@pytest.fixture
def hours(app: Flask) -> list[SimpleNamespace]:
    """Seven hours, the newest first: 14:00 of two dimensions, 13:00 to 09:00; every other one is billed."""
    [subscription_id] = insert_changed_at(app, START)
    times = [at("14:00"), *(at(f"{hour:02d}:00") for hour in range(14, 8, -1))]
    values = [
        {
            "id": uuid7(),
            "subscription_id": subscription_id,
            "product_code": PRODUCT_CODE,
            "meter_key": "l-1",
            "dimension": "requests" if number == 0 else DIMENSION,
            "hour": hour,
            "micros": 1_500_000 + number,
            "picos": 0,
            "state": "billed" if number % 2 else "open",
            "tries": 0,
            "unread_tries": 0,
            "created_at": hour,
        }
        for number, hour in reversed(list(enumerate(times)))
    ]
    with app.app_context():
        transactions.write(lambda connection: connection.execute(insert(UsageHour), values))
    return [SimpleNamespace(**value) for value in reversed(values)]


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for item in items]


def test_hour_has_every_field_before_and_after_it_is_sent(metered: MeteredProduct, api_client: ApiClient) -> None:
    purchase = metered.buy()
    metered.use(purchase, "1.0000004")
    metered.use(purchase, "0.25")

    [so_far] = api_client.list_items("/usage")
    metered.set_clock(at("10:10"))
    freeze.freeze_due()
    [frozen] = api_client.list_items("/usage")
    metered.work()
    [billed] = api_client.list_items("/usage")

    assert so_far == {
        "id": so_far["id"],
        "subscription_id": str(metered.subscription(purchase).id),
        "product_code": PRODUCT_CODE,
        "license_arn": purchase.license_arn,
        "dimension": DIMENSION,
        "hour": "2026-11-28T09:00:00.000Z",
        "quantity": "1.2500004",
        "items": 2,
        "state": "open",
        "code": None,
        "metering_record_id": None,
        "timestamp": None,
        "created_at": "2026-11-28T09:30:00.000Z",
        "frozen_at": None,
        "settled_at": None,
    }
    assert (frozen["state"], frozen["quantity"], frozen["frozen_at"]) == ("frozen", "1.25", "2026-11-28T10:10:00.000Z")
    assert (billed["state"], billed["items"]) == ("billed", 2)
    assert billed["metering_record_id"] == metered.records()[0].metering_record_id


def test_item_has_every_field_and_its_hour(metered: MeteredProduct, api_client: ApiClient) -> None:
    purchase = metered.buy()
    used = metered.use(purchase, "1.0000004")

    [hour] = api_client.list_items("/usage")
    [item] = api_client.list_items("/usage/items", id=used["id"])

    assert item == {
        "id": used["id"],
        "subscription_id": str(metered.subscription(purchase).id),
        "product_code": PRODUCT_CODE,
        "dimension": DIMENSION,
        "quantity": "1.0000004",
        "at": "2026-11-28T09:30:00.000Z",
        "tags": None,
        "late": False,
        "received_at": "2026-11-28T09:30:00.000Z",
        "state": "open",
        "hour_id": hour["id"],
        "hour": "2026-11-28T09:00:00.000Z",
    }


def test_pages_have_each_hour_once_newest_first(hours: list[SimpleNamespace], api_client: ApiClient) -> None:
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    for _ in range(4):
        page = api_client.get("/usage", limit=2, **cursor).get_json()
        found += page["items"]
        cursor = {"cursor": page["cursor"]}

    assert ids(found) == [str(hour.id) for hour in hours]
    assert (page["more"], page["cursor"]) == (False, None)


def test_filters_select_hours(hours: list[SimpleNamespace], api_client: ApiClient) -> None:
    newest = [str(hour.id) for hour in hours]
    subscription_id = hours[0].subscription_id
    expected: list[tuple[dict[str, Any], list[str]]] = [
        ({"state": "billed"}, newest[1::2]),
        ({"state": "open"}, newest[::2]),
        ({"state": "refused"}, []),
        ({"dimension": "requests"}, newest[:1]),
        ({"product_code": PRODUCT_CODE}, newest),
        ({"product_code": OTHER_PRODUCT_CODE}, []),
        ({"subscription": subscription_id}, newest),
        ({"subscription": uuid7()}, []),
        ({"subscription": "arn:aws:license-manager::294406891311:license:l-none"}, []),
        ({"since": "2026-11-28T14:00:00+02:00"}, newest[:4]),
        ({"until": "2026-11-28T12:00:00Z"}, newest[4:]),
        ({"since": "2026-11-28T10:00:00Z", "until": "2026-11-28T12:00:00Z", "state": "billed"}, newest[5:6]),
    ]

    for query, wanted in expected:
        assert ids(api_client.list_items("/usage", **query)) == wanted, query


def test_subscription_is_found_by_its_license(metered: MeteredProduct, api_client: ApiClient) -> None:
    purchases = [metered.buy() for _ in range(2)]
    for purchase in purchases:
        metered.use(purchase)

    [hour] = api_client.list_items("/usage", subscription=purchases[0].license_arn)

    assert hour["license_arn"] == purchases[0].license_arn


def test_token_of_a_product_reads_its_usage_alone(metered: MeteredProduct, create_api_client: CreateApiClient) -> None:
    used = metered.use(metered.buy())
    own, other = create_api_client([PRODUCT_CODE]), create_api_client([OTHER_PRODUCT_CODE])

    assert len(own.list_items("/usage")) == len(own.list_items("/usage/items", id=used["id"])) == 1
    assert other.list_items("/usage") == []
    check_problem(other.get("/usage/items", id=used["id"]), 404)
    check_problem(own.get("/usage/items", id="unknown"), 404)


def test_late_and_held_items_say_so(metered: MeteredProduct, api_client: ApiClient) -> None:
    purchase = metered.buy()
    held = metered.use(purchase, at=START - timedelta(days=40))
    late = metered.use(purchase, at=START - timedelta(hours=30), tags={"team": "a"})

    [held_item] = api_client.list_items("/usage/items", id=held["id"])
    [late_item] = api_client.list_items("/usage/items", id=late["id"])

    assert (held_item["state"], held_item["late"], held_item["hour"], held_item["hour_id"]) == (
        "held",
        True,
        None,
        None,
    )
    assert (late_item["state"], late_item["late"], late_item["tags"]) == ("open", True, {"team": "a"})
    assert late_item["hour"] == "2026-11-28T09:00:00.000Z"


@on_sqlite
def test_invalid_parameter_is_named(api_client: ApiClient) -> None:
    for query in INVALID_QUERIES:
        errors = check_problem(api_client.get("/usage", **query), 400)["errors"]

        assert [error["parameter"] for error in errors] == list(query)  # type: ignore[attr-defined]
    for query in ({}, {"id": ""}, {"id": "x" * 256}, {"id": "a\x00"}):
        assert check_problem(api_client.get("/usage/items", **query), 400)["errors"]


@on_sqlite
def test_usage_token_reads_no_usage(sender: ApiClient) -> None:
    for path in ("/usage", "/usage/items"):
        assert "--scope read" in str(check_problem(sender.get(path), 403)["detail"])

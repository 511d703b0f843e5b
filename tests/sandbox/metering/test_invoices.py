"""The invoices for usage, as JSON and as a page."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from flask import Flask, jsonify

from app.config.products import Product
from sandbox.faults import Faults
from sandbox.invoices import plain
from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.sandbox.conftest import OpenPage, element_attributes
from tests.sandbox.metering.conftest import NOW, USAGE, Meter, by_account, by_identifier, record
from tests.support import factories
from tests.support.local_server import serve_app
from tests.support.sandbox_api import call_api

HOUR = timedelta(hours=1)


def test_invoice_sums_the_records_of_a_license_and_month(sandbox: Sandbox, meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    meter.send(
        record(purchase),
        record(purchase, NOW - HOUR, QuantityAsDecimal="2.000001"),
        record(purchase, Dimension="api_calls", QuantityAsDecimal="1000"),
    )

    usage = call_api(sandbox, "GET", "/usage").json()

    (invoice,) = usage["invoices"]
    requests_line, gigabytes = invoice.pop("lines")
    assert invoice == {
        "license": purchase.license_arn,
        "purchase_id": str(purchase.id),
        "account_id": purchase.account_id,
        "product_code": USAGE,
        "month": "2026-11",
        "total": "0.68000008",
    }
    assert gigabytes == {
        "dimension": "gb_processed",
        "unit": "GB",
        "price": "0.08",
        "quantity": "3.500001",
        "amount": "0.28000008",
        "records": 2,
        "hours": 2,
        "billed_twice": "0",
        "sent": None,
        "unsent": None,
    }
    assert (requests_line["dimension"], requests_line["amount"]) == ("api_calls", "0.4")
    assert [item["quantity"] for item in usage["records"]] == ["1.5", "2.000001", "1000"]


def test_each_license_and_month_has_its_own_invoice(sandbox: Sandbox, meter: Meter) -> None:
    new, old = meter.buy(), meter.buy(style="old")
    meter.set_clock(datetime(2026, 11, 30, 23, 30, tzinfo=UTC))
    meter.send(record(new, meter.sandbox.clock.now()))
    meter.set_clock(datetime(2026, 12, 1, 0, 30, tzinfo=UTC))
    meter.send(record(new, meter.sandbox.clock.now()))
    meter.send(by_identifier(old, at=meter.sandbox.clock.now()), ProductCode=USAGE)

    invoices = call_api(sandbox, "GET", "/usage").json()["invoices"]
    of_old = call_api(sandbox, "GET", f"/purchases/{old.id}/usage").json()

    assert {(invoice["month"], invoice["license"]) for invoice in invoices} == {
        ("2026-11", new.license_arn),
        ("2026-12", new.license_arn),
        ("2026-12", old.customer_identifier),
    }
    assert [invoice["license"] for invoice in of_old["invoices"]] == [old.customer_identifier]
    assert [item["purchase_id"] for item in of_old["records"]] == [str(old.id)]


def test_usage_that_is_billed_twice_is_marked(sandbox: Sandbox, meter: Meter, open_page: OpenPage) -> None:
    purchase, other = (meter.buy(account_id="111122223333") for _ in range(2))
    meter.set_clock(NOW)
    meter.send(record(purchase), record(purchase, NOW - HOUR), record(other, NOW - HOUR))
    meter.send(by_account(purchase), ProductCode=USAGE)
    meter.send(record(other), region="eu-central-1")

    usage = call_api(sandbox, "GET", "/usage").json()
    page = open_page("/usage")

    assert [item["is_billed_twice"] for item in usage["records"]] == [True, False, False, True, True]
    assert sum(Decimal(line["billed_twice"]) for invoice in usage["invoices"] for line in invoice["lines"]) == Decimal(
        "4.5"
    )
    assert "billed twice" in page.query(".invoice")[0].to_text()


def test_same_usage_in_two_regions_is_billed_twice(sandbox: Sandbox, meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    for region in ("us-east-1", "eu-central-1"):
        meter.send(record(purchase), region=region)

    (invoice,) = call_api(sandbox, "GET", "/usage").json()["invoices"]

    assert [(line["quantity"], line["billed_twice"]) for line in invoice["lines"]] == [("3", "3")]


def test_calls_are_listed_with_their_answers(sandbox: Sandbox, meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    meter.send(record(purchase))
    meter.post("{]")

    answered, unreadable = call_api(sandbox, "GET", "/usage/calls").json()

    assert answered["request"]["UsageRecords"][0]["LicenseArn"] == purchase.license_arn
    assert answered["answer"]["Results"][0]["Status"] == "Success"
    assert (answered["received_at"], answered["region"]) == ("2026-11-28T09:30:00Z", "us-east-1")
    assert (unreadable["request"], unreadable["status"]) == (None, 400)
    assert unreadable["error"] == "SerializationException"


def test_page_lists_records_and_calls(meter: Meter, open_page: OpenPage) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    response = meter.send(record(purchase))
    meter.sandbox.marketplace.faults = Faults(lost_answers=1)
    with pytest.raises(requests.ConnectionError):
        meter.post({"UsageRecords": []})
    meter.refusal(record(purchase, Dimension="nope"))

    page = open_page(f"/purchases/{purchase.id}/usage")

    text = page.query("main")[0].to_text()
    for shown in (response["Results"][0]["MeteringRecordId"], "28 Nov, 07:00", "$0.12", "November 2026", "us-east-1"):
        assert shown in text
    assert [badge.to_text() for badge in page.query(".events .badge")] == [
        "InvalidUsageDimensionException",
        "answer lost",
        "1 Success",
    ]


def test_buttons_move_the_clock(sandbox: Sandbox, open_page: OpenPage) -> None:
    buttons = element_attributes(open_page("/usage"), ".clock button")

    for button in buttons:
        form = {button["name"]: button["value"]}
        response = requests.post(f"{sandbox.storefront_url}/usage/clock", form, timeout=30, allow_redirects=False)
        assert (response.status_code, response.headers["Location"]) == (303, "/usage")

    assert call_api(sandbox, "GET", "/clock").json()["ahead_seconds"] == 25 * 3600


def test_page_without_usage_says_how_to_begin(open_page: OpenPage) -> None:
    assert "Use 1.5 GB" in open_page("/usage").query("main")[0].to_text()


@contextmanager
def sandbox_with_example(items: list[Any]) -> Iterator[Sandbox]:
    """Run a sandbox whose product's example says that it sent these items."""
    app = Flask(__name__)
    app.add_url_rule("/usage.json", "usage", lambda: jsonify(items))
    with serve_app(app) as url:
        product = Product(code=USAGE, handoff_url=f"{url}/foyer", **factories.PRODUCT_FIELDS)
        with Sandbox([product]) as sandbox:
            yield sandbox


def test_what_the_example_sent_stands_beside_what_was_billed() -> None:
    items: list[dict[str, Any]] = []
    with sandbox_with_example(items) as sandbox:
        new = sandbox.marketplace.buy(Order(product_code=USAGE))
        old = sandbox.marketplace.buy(Order(product_code=USAGE, style="old"))
        common = {"product_code": USAGE, "dimension": "gb_processed", "at": "2026-11-28T07:10:00Z"}
        for license_, quantity, is_accepted in [
            (new.license_arn, "1.5", True),
            (new.license_arn, "1.5", False),
            (old.account_id, "2", True),
            ("sold by another sandbox", "9", True),
        ]:
            items.append({**common, "license": license_, "quantity": quantity, "is_accepted": is_accepted})

        invoices = call_api(sandbox, "GET", "/usage").json()["invoices"]
        page = requests.get(f"{sandbox.storefront_url}/usage", timeout=30).text

    lines = [(invoice["license"], invoice["lines"][0]) for invoice in invoices]
    assert {license_: (line["sent"], line["unsent"], line["quantity"]) for license_, line in lines} == {
        new.license_arn: ("1.5", "1.5", "0"),
        old.customer_identifier: ("2", "0", "0"),
    }
    assert "1.5 not sent yet" in page


@pytest.mark.parametrize("items", [[{"what": "else"}], ["text"]])
def test_other_answer_of_the_product_counts_as_no_example(items: list[Any]) -> None:
    with sandbox_with_example(items) as sandbox:
        assert call_api(sandbox, "GET", "/usage").json() == {"invoices": [], "records": []}


@pytest.mark.parametrize(("number", "text"), [("100", "100"), ("1.500", "1.5"), ("0.0000", "0"), ("1E+3", "1000")])
def test_number_is_plain_text(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text

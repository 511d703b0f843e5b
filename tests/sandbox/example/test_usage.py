"""The example product meters what its customers use, and loses none of it."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask, Response
from justhtml import JustHTML

from sandbox.example.server import ExampleProduct
from sandbox.example.state import State
from tests.sandbox.example.usage_receiver import (
    LICENSE_ARN,
    TOKEN,
    Answer,
    Customer,
    UsageReceiver,
    failure,
    run_product,
    verdict,
)
from tests.support.fake_foyer import (
    OTHER_SUBSCRIPTION,
    QUILLFEATHER_REFERENCE,
    SUBSCRIPTION_PAYLOAD,
    check_example_page,
)
from tests.support.local_server import serve_app


@pytest.fixture
def foyer() -> Iterator[UsageReceiver]:
    receiver = UsageReceiver()
    app = Flask(__name__)
    app.add_url_rule("/api/v1/usage", "usage", receiver.receive, methods=["POST"])
    with serve_app(app) as receiver.url:
        yield receiver


@pytest.fixture
def metering(foyer: UsageReceiver) -> Iterator[ExampleProduct]:
    """The example product, which sends to that Foyer; in the background it would send only after an hour."""
    with run_product(foyer.url) as running:
        yield running


def test_button_sends_what_was_used(metering: ExampleProduct, foyer: UsageReceiver) -> None:
    customer = Customer(metering)
    [button] = JustHTML(customer.home().text, strict=True, sanitize=False).query("section button")
    assert button.to_text() == "Use 1.5 GB"

    page = check_example_page(customer.use((button.attrs or {})["value"] or ""))

    (item,) = foyer.received
    assert item.pop("id") == metering.usage[0].id
    assert item == {
        "subscription": SUBSCRIPTION_PAYLOAD["id"],
        "dimension": "gb_processed",
        "quantity": "1.5",
        "at": "2026-11-28T09:30:12Z",
    }
    assert foyer.tokens == [f"Bearer {TOKEN}"]
    assert [item.state for item in metering.usage] == ["accepted"]
    assert "28 November 2026, 09:30:12" in page.text
    assert "Not sent yet" not in page.text
    assert "Refresh" not in page.headers


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (failure(401), "Foyer does not know the API token. Delete instance/usage-token"),
        (failure(403), "does not have the scope usage:write"),
        (failure(413), "Foyer answered with 413."),
        (failure(503), "database is away"),
        (failure(500), "Foyer answered with 500."),
        (failure(404), "Foyer answered with 404."),
        (lambda _: "<html>", "Foyer answered with 200."),
        (lambda _: '{"items": [{"id": "another", "verdict": "accepted"}]}', "Foyer answered with 200."),
    ],
)
def test_what_foyer_does_not_take_is_kept_and_sent_again(
    metering: ExampleProduct, foyer: UsageReceiver, answer: Answer, problem: str
) -> None:
    customer = Customer(metering)
    foyer.answer = answer
    page = customer.use()
    states = [item.state for item in metering.usage]

    foyer.answer = verdict("accepted")
    later = customer.use()

    assert states == ["unsent"]
    assert "Not sent yet" in page.text
    assert problem in page.text
    assert page.headers["Refresh"] == "3"
    assert "Not sent yet" not in later.text
    first, again, second = foyer.received
    assert first == again != second
    assert [item.state for item in metering.usage] == ["accepted", "accepted"]


@pytest.mark.parametrize(("value", "status", "label"), [("refused", 404, "Refused"), ("conflict", 409, "Conflict")])
def test_verdict_against_an_item_is_shown_and_not_sent_again(
    metering: ExampleProduct, foyer: UsageReceiver, value: str, status: int, label: str
) -> None:
    customer = Customer(metering)
    foyer.answer = verdict(value, status, "There is no such subscription.")

    page = customer.use()
    foyer.answer = verdict("accepted")
    customer.use()

    assert label in page.text
    assert "There is no such subscription." in page.text
    assert len(foyer.received) == 2
    assert [item.state for item in metering.usage] == [value, "accepted"]


def test_usage_is_kept_while_foyer_is_away_and_over_a_restart(foyer: UsageReceiver, tmp_path: Path) -> None:
    with run_product("http://127.0.0.1:9", tmp_path / "example.json") as before:
        page = Customer(before).use()

    with run_product(foyer.url, tmp_path / "example.json", retry_seconds=0.01) as after:
        wait_until(lambda: after.usage[0].state == "accepted")

    assert "Foyer does not answer." in page.text
    assert [item["id"] for item in foyer.received] == [item.id for item in before.usage]


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_problem_is_shown_while_the_next_attempt_is_under_way(metering: ExampleProduct, foyer: UsageReceiver) -> None:
    customer, pages = Customer(metering), list[str]()
    foyer.answer = failure(503)
    customer.use()

    def look_and_accept(items: list[dict[str, Any]]) -> Response | str:
        pages.append(customer.home().text)
        return verdict("accepted")(items)

    foyer.answer = look_and_accept
    page = customer.use()

    assert ["database is away" in text for text in (*pages, page.text)] == [True, False]


def test_product_without_a_token_keeps_its_usage(foyer: UsageReceiver) -> None:
    with run_product(foyer.url, token=None) as example:
        page = Customer(example).use()

    assert "USAGE_API_TOKEN is not set" in page.text
    assert [item.state for item in example.usage] == ["unsent"]
    assert foyer.received == []


def test_more_than_a_thousand_items_are_sent_in_several_calls(foyer: UsageReceiver, tmp_path: Path) -> None:
    path = tmp_path / "example.json"
    with run_product("http://127.0.0.1:9", path) as before:
        Customer(before).use()
    state = State.model_validate_json(path.read_text())
    state.usage += [state.usage[0].model_copy(update={"id": str(number)}) for number in range(1500)]
    path.write_text(state.model_dump_json())

    with run_product(foyer.url, path, retry_seconds=0.01) as after:
        wait_until(lambda: {item.state for item in after.usage} == {"accepted"})

    assert len(foyer.tokens) == 2
    assert len({item["id"] for item in foyer.received}) == len(foyer.received) == 1501


@pytest.mark.parametrize(
    ("subscription", "has_button"),
    [({"status": "ending"}, True), ({"status": "ended"}, False), ({"product_code": "ledger2example"}, False)],
)
def test_only_metered_and_running_subscriptions_have_the_button(
    metering: ExampleProduct, subscription: dict[str, str], has_button: bool
) -> None:
    assert ("Use 1.5 GB" in Customer(metering, **subscription).home().text) == has_button


def test_usage_of_another_account_is_not_recorded(metering: ExampleProduct, foyer: UsageReceiver) -> None:
    customer = Customer(metering)
    other = customer.use(OTHER_SUBSCRIPTION["id"])
    elsewhere = customer.use(reference=QUILLFEATHER_REFERENCE)
    customer.browser.cookies.clear()
    signed_out = customer.use()

    assert (other.status_code, foyer.received, metering.usage) == (404, [], [])
    for response in (elsewhere, signed_out):
        assert "/login" in response.url


def test_invoices_can_read_what_was_sent(metering: ExampleProduct, foyer: UsageReceiver) -> None:
    customer = Customer(metering)
    for answer in (verdict("accepted"), verdict("refused"), failure(503)):
        foyer.answer = answer
        customer.use()

    listed = requests.get(f"{metering.url}/usage.json", timeout=30).json()

    assert [item["is_accepted"] for item in listed] == [True, False]
    assert listed[0] == {
        "product_code": SUBSCRIPTION_PAYLOAD["product_code"],
        "license": LICENSE_ARN,
        "dimension": "gb_processed",
        "quantity": "1.5",
        "at": "2026-11-28T09:30:12Z",
        "is_accepted": True,
    }


def test_usage_without_a_license_names_the_customer(metering: ExampleProduct) -> None:
    Customer(metering, license_arn=None).use()

    listed = requests.get(f"{metering.url}/usage.json", timeout=30).json()

    assert [item["license"] for item in listed] == [SUBSCRIPTION_PAYLOAD["customer_aws_account_id"]]

"""The page of one purchase: its status, actions, entitlements and events, without JavaScript."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import requests
import time_machine
from justhtml import JustHTML

from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.sandbox.conftest import OpenPage, QueueReader, element_attributes
from tests.sandbox.test_actions import CONTRACT, USAGE, create_purchase
from tests.sandbox.test_storefront import submit_form


def texts(page: JustHTML, selector: str) -> list[str]:
    return [element.to_text() for element in page.query(selector)]


def refresh_header(sandbox: Sandbox, path: str) -> str | None:
    return requests.get(f"{sandbox.storefront_url}{path}", timeout=30).headers.get("Refresh")


@pytest.mark.parametrize(
    ("product", "style", "after", "actions"),
    [
        (USAGE, "new", "", ["confirm", "fail_payment"]),
        (USAGE, "new", "confirm", ["renew", "cancel", "expire", "fail_payment"]),
        (CONTRACT, "old", "confirm", ["renew", "cancel", "expire", "fail_payment", "change_entitlements"]),
        (USAGE, "old", "confirm cancel", ["expire", "resubscribe"]),
        (USAGE, "new", "confirm expire", []),
    ],
)
def test_purchase_page_has_a_button_per_available_action(
    sandbox: Sandbox, open_page: OpenPage, *, product: str, style: str, after: str, actions: list[str]
) -> None:
    purchase = create_purchase(sandbox, product, style, after)

    page = open_page(f"/purchases/{purchase.id}")

    assert [button["value"] for button in element_attributes(page, "button[name=action]")] == actions


@pytest.mark.parametrize(
    ("after", "status"),
    [("", "pending"), ("confirm", "active"), ("confirm cancel", "ending"), ("confirm expire", "ended")],
)
def test_pages_show_the_status_of_a_purchase(sandbox: Sandbox, open_page: OpenPage, after: str, status: str) -> None:
    purchase = create_purchase(sandbox, actions=after)

    assert texts(open_page(f"/purchases/{purchase.id}"), ".lead .badge") == [status]
    assert texts(open_page("/purchases"), ".card .badge") == [status]


def test_every_field_of_a_purchase_has_a_label_and_its_hint(sandbox: Sandbox, open_page: OpenPage) -> None:
    purchase = create_purchase(sandbox, CONTRACT, actions="confirm")

    page = open_page(f"/purchases/{purchase.id}")

    fields = [field for field in element_attributes(page, "input, select") if field.get("type") != "hidden"]
    labelled = [label["for"] for label in element_attributes(page, "label")]
    described = {button["aria-describedby"] for button in element_attributes(page, ".act button[aria-describedby]")}
    assert sorted(field["id"] for field in fields) == sorted(labelled)
    assert len(labelled) == len(set(labelled)) == 5
    assert described == {hint["id"] for hint in element_attributes(page, ".act .hint")}


def test_button_applies_its_action_and_redirects_to_the_events(sandbox: Sandbox, queue: QueueReader) -> None:
    purchase = create_purchase(sandbox, actions="confirm")
    queue.receive_and_delete_all()

    response = submit_form(
        sandbox, f"/purchases/{purchase.id}/actions", action="renew", new_license="true", delivery="reversed"
    )

    assert response.status_code == 303
    assert response.headers["Location"] == f"/purchases/{purchase.id}#events"
    assert sandbox.marketplace.get_purchase(purchase.id).license_arn != purchase.license_arn
    assert [event["detail-type"].partition(" -")[0] for event in queue.receive_and_delete_all()] == [
        "License Deprovisioned",
        "Purchase Agreement Ended",
        "License Updated",
        "Purchase Agreement Created",
    ]


def test_entitlements_form_changes_only_the_named_dimensions(sandbox: Sandbox) -> None:
    purchase = create_purchase(sandbox, CONTRACT, actions="confirm")
    quantities = [
        {"dimension": "seats", "value": 1},
        {"dimension": "sso", "value": True},
        {"dimension": "tier", "value": "a"},
    ]
    sandbox.marketplace.apply_action(purchase, "change_entitlements", entitlements=quantities)
    fields = {"value.seats": "40", "value.sso": "false"}

    submit_form(sandbox, f"/purchases/{purchase.id}/actions", action="change_entitlements", **fields)

    changed = sandbox.marketplace.get_purchase(purchase.id).entitlements
    assert [(entitlement.dimension, entitlement.value) for entitlement in changed] == [
        ("seats", 40),
        ("sso", False),
        ("tier", "a"),
    ]


def test_each_event_is_shown_with_its_state(sandbox: Sandbox, open_page: OpenPage, queue: QueueReader) -> None:
    purchase = create_purchase(sandbox)
    queue.receive_and_delete_all()
    sandbox.marketplace.apply_action(purchase, "confirm")
    queue.receive()
    sandbox.marketplace.apply_action(purchase, "cancel")
    sandbox.marketplace.apply_action(purchase, "expire", delivery="late")

    page = open_page(f"/purchases/{purchase.id}")

    assert texts(page, ".events .badge") == ["done", "being read", "in the queue", "held back"]
    body = sandbox.marketplace.events(purchase)[0].body
    assert list(json.loads(texts(page, ".events pre")[0]).items()) == list(body.items())


def test_page_refreshes_while_an_event_is_in_transit(sandbox: Sandbox, queue: QueueReader) -> None:
    path = f"/purchases/{create_purchase(sandbox).id}"

    in_transit = refresh_header(sandbox, path)
    queue.receive_and_delete_all()

    assert (in_transit, refresh_header(sandbox, path)) == ("2", None)


def test_page_stops_refreshing_without_a_worker(sandbox: Sandbox) -> None:
    path = f"/purchases/{create_purchase(sandbox).id}"

    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=21)):
        later = refresh_header(sandbox, path)

    assert later is None


def test_event_has_a_button_that_delivers_it_again(sandbox: Sandbox, open_page: OpenPage, queue: QueueReader) -> None:
    purchase = create_purchase(sandbox)
    (event,) = queue.receive_and_delete_all()
    (form,) = element_attributes(open_page(f"/purchases/{purchase.id}"), ".events form")

    response = submit_form(sandbox, form["action"])

    assert response.status_code == 303
    assert queue.receive_and_delete_all() == [event]


@pytest.mark.parametrize(("order", "step"), [("as_happened", 1), ("reversed", -1)])
def test_held_events_are_released_in_the_chosen_order(
    sandbox: Sandbox, open_page: OpenPage, queue: QueueReader, order: str, step: int
) -> None:
    purchase = sandbox.marketplace.buy(Order(product_code=USAGE, delivery="late"))
    sandbox.marketplace.apply_action(purchase, "confirm", delivery="late")
    (form,) = element_attributes(open_page(f"/purchases/{purchase.id}"), "form.buttons")

    submit_form(sandbox, form["action"], order=order)

    held = [event.id for event in sandbox.marketplace.events(purchase)]
    assert [event["id"] for event in queue.receive_and_delete_all()] == held[::step]


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"action": "confirm"}, 409, "confirm is not possible: the purchase is active."),
        ({"action": ""}, 400, "action: Input should be 'confirm'"),
        ({"action": "change_entitlements", "value.seats": "many"}, 400, "value.seats: enter a number."),
    ],
)
def test_refused_action_is_explained_on_a_page(
    sandbox: Sandbox, fields: dict[str, str], status: int, message: str
) -> None:
    purchase = create_purchase(sandbox, CONTRACT, actions="confirm")

    response = submit_form(sandbox, f"/purchases/{purchase.id}/actions", **fields)

    assert response.status_code == status
    assert message in JustHTML(response.text, strict=True, sanitize=False).to_text()


def test_hostile_dimension_is_escaped(sandbox: Sandbox, open_page: OpenPage) -> None:
    hostile = '"><script>alert(1)</script>'
    purchase = create_purchase(sandbox, CONTRACT, actions="confirm")
    sandbox.marketplace.apply_action(
        purchase, "change_entitlements", entitlements=[{"dimension": hostile, "value": hostile}]
    )

    page = open_page(f"/purchases/{purchase.id}")

    assert page.query("script") == []
    assert hostile in page.query("main")[0].to_text()

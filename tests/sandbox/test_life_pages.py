"""The purchase's page where it shows and moves on its life, as a browser without JavaScript meets it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import requests
import time_machine
from justhtml import JustHTML

from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.sandbox.conftest import OpenPage, QueueReader, element_attributes
from tests.sandbox.test_lives import CONTRACT, USAGE, create_purchase
from tests.sandbox.test_storefront import submit_form


def texts(page: JustHTML, selector: str) -> list[str]:
    return [found.to_text() for found in page.query(selector)]


def refresh(sandbox: Sandbox, path: str) -> str | None:
    return requests.get(f"{sandbox.storefront_url}{path}", timeout=5).headers.get("Refresh")


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
def test_a_purchase_has_a_button_for_everything_that_can_happen_next(
    sandbox: Sandbox, open_page: OpenPage, *, product: str, style: str, after: str, actions: list[str]
) -> None:
    purchase = create_purchase(sandbox, product, style, after)

    page = open_page(f"/purchases/{purchase.id}")

    assert [button["value"] for button in element_attributes(page, "button[name=action]")] == actions


@pytest.mark.parametrize(
    ("after", "status"),
    [("", "pending"), ("confirm", "active"), ("confirm cancel", "ending"), ("confirm expire", "ended")],
)
def test_a_purchase_says_how_it_stands_on_awss_side(
    sandbox: Sandbox, open_page: OpenPage, after: str, status: str
) -> None:
    purchase = create_purchase(sandbox, actions=after)

    assert texts(open_page(f"/purchases/{purchase.id}"), ".lead .badge") == [status]
    assert texts(open_page("/purchases"), ".card .badge") == [status]


def test_every_field_has_a_label_and_every_hint_is_there(sandbox: Sandbox, open_page: OpenPage) -> None:
    purchase = create_purchase(sandbox, CONTRACT, actions="confirm")

    page = open_page(f"/purchases/{purchase.id}")

    shown = [field for field in element_attributes(page, "input, select") if field.get("type") != "hidden"]
    labelled = [label["for"] for label in element_attributes(page, "label")]
    described = {button["aria-describedby"] for button in element_attributes(page, ".act button[aria-describedby]")}
    assert sorted(field["id"] for field in shown) == sorted(labelled)
    assert len(labelled) == len(set(labelled)) == 5
    assert described == {hint["id"] for hint in element_attributes(page, ".act .hint")}


def test_pressing_a_button_lets_it_happen_and_leads_back_to_the_events(sandbox: Sandbox, queue: QueueReader) -> None:
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


def test_the_entitlements_change_to_what_the_fields_say(sandbox: Sandbox) -> None:
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
    assert [(each.dimension, each.value) for each in changed] == [("seats", 40), ("sso", False), ("tier", "a")]


def test_each_event_is_shown_with_how_far_it_has_come(
    sandbox: Sandbox, open_page: OpenPage, queue: QueueReader
) -> None:
    purchase = create_purchase(sandbox)
    queue.receive_and_delete_all()
    sandbox.marketplace.apply_action(purchase, "confirm")
    queue.receive()
    sandbox.marketplace.apply_action(purchase, "cancel")
    sandbox.marketplace.apply_action(purchase, "expire", delivery="late")

    page = open_page(f"/purchases/{purchase.id}")

    assert texts(page, ".events .badge") == ["done", "being read", "in the queue", "held back"]
    told = sandbox.marketplace.events(purchase)[0].body
    assert list(json.loads(texts(page, ".events pre")[0]).items()) == list(told.items())


def test_the_page_comes_again_by_itself_while_something_travels(sandbox: Sandbox, queue: QueueReader) -> None:
    path = f"/purchases/{create_purchase(sandbox).id}"

    travelling = refresh(sandbox, path)
    queue.receive_and_delete_all()

    assert (travelling, refresh(sandbox, path)) == ("2", None)


def test_the_page_does_not_wait_for_ever_for_a_worker(sandbox: Sandbox) -> None:
    path = f"/purchases/{create_purchase(sandbox).id}"

    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=21)):
        later = refresh(sandbox, path)

    assert later is None


def test_an_event_has_a_button_that_delivers_it_again(
    sandbox: Sandbox, open_page: OpenPage, queue: QueueReader
) -> None:
    purchase = create_purchase(sandbox)
    (event,) = queue.receive_and_delete_all()
    (form,) = element_attributes(open_page(f"/purchases/{purchase.id}"), ".events form")

    response = submit_form(sandbox, form["action"])

    assert response.status_code == 303
    assert queue.receive_and_delete_all() == [event]


@pytest.mark.parametrize(("order", "step"), [("as_happened", 1), ("reversed", -1)])
def test_what_is_held_back_is_released_in_either_order(
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
        ({"action": "change_entitlements", "value.seats": "many"}, 400, "value.seats: that is not a number."),
    ],
)
def test_what_cannot_happen_is_a_page_that_says_so(
    sandbox: Sandbox, fields: dict[str, str], status: int, message: str
) -> None:
    purchase = create_purchase(sandbox, CONTRACT, actions="confirm")

    response = submit_form(sandbox, f"/purchases/{purchase.id}/actions", **fields)

    assert response.status_code == status
    assert message in JustHTML(response.text, strict=True, sanitize=False).to_text()


def test_a_hostile_dimension_stays_text(sandbox: Sandbox, open_page: OpenPage) -> None:
    hostile = '"><script>alert(1)</script>'
    purchase = create_purchase(sandbox, CONTRACT, actions="confirm")
    sandbox.marketplace.apply_action(
        purchase, "change_entitlements", entitlements=[{"dimension": hostile, "value": hostile}]
    )

    page = open_page(f"/purchases/{purchase.id}")

    assert page.query("script") == []
    assert hostile in page.query("main")[0].to_text()

"""The purchase's page where it shows and moves on its life, as a browser without JavaScript meets it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import requests
import time_machine
from justhtml import JustHTML

from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.sandbox.conftest import Queue, Visit, attributes
from tests.sandbox.test_lives import CONTRACT, USAGE, bought
from tests.sandbox.test_storefront import submit


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
    sandbox: Sandbox, visit: Visit, *, product: str, style: str, after: str, actions: list[str]
) -> None:
    purchase = bought(sandbox, product, style, after)

    page = visit(f"/purchases/{purchase.id}")

    assert [button["value"] for button in attributes(page, "button[name=action]")] == actions


@pytest.mark.parametrize(
    ("after", "status"),
    [("", "pending"), ("confirm", "active"), ("confirm cancel", "ending"), ("confirm expire", "ended")],
)
def test_a_purchase_says_how_it_stands_on_awss_side(sandbox: Sandbox, visit: Visit, after: str, status: str) -> None:
    purchase = bought(sandbox, after=after)

    assert texts(visit(f"/purchases/{purchase.id}"), ".lead .badge") == [status]
    assert texts(visit("/purchases"), ".card .badge") == [status]


def test_every_field_has_a_label_and_every_hint_is_there(sandbox: Sandbox, visit: Visit) -> None:
    purchase = bought(sandbox, CONTRACT, after="confirm")

    page = visit(f"/purchases/{purchase.id}")

    shown = [field for field in attributes(page, "input, select") if field.get("type") != "hidden"]
    labelled = [label["for"] for label in attributes(page, "label")]
    described = {button["aria-describedby"] for button in attributes(page, ".act button[aria-describedby]")}
    assert sorted(field["id"] for field in shown) == sorted(labelled)
    assert len(labelled) == len(set(labelled)) == 5
    assert described == {hint["id"] for hint in attributes(page, ".act .hint")}


def test_pressing_a_button_lets_it_happen_and_leads_back_to_the_events(sandbox: Sandbox, queue: Queue) -> None:
    purchase = bought(sandbox, after="confirm")
    queue.take()

    response = submit(
        sandbox, f"/purchases/{purchase.id}/actions", action="renew", new_license="true", delivery="reversed"
    )

    assert response.status_code == 303
    assert response.headers["Location"] == f"/purchases/{purchase.id}#events"
    assert sandbox.world.purchase(purchase.id).license_arn != purchase.license_arn
    assert [event["detail-type"].partition(" -")[0] for event in queue.take()] == [
        "License Deprovisioned",
        "Purchase Agreement Ended",
        "License Updated",
        "Purchase Agreement Created",
    ]


def test_the_entitlements_change_to_what_the_fields_say(sandbox: Sandbox) -> None:
    purchase = bought(sandbox, CONTRACT, after="confirm")
    quantities = [
        {"dimension": "seats", "value": 1},
        {"dimension": "sso", "value": True},
        {"dimension": "tier", "value": "a"},
    ]
    sandbox.world.act(purchase, "change_entitlements", entitlements=quantities)
    fields = {"value.seats": "40", "value.sso": "false"}

    submit(sandbox, f"/purchases/{purchase.id}/actions", action="change_entitlements", **fields)

    changed = sandbox.world.purchase(purchase.id).entitlements
    assert [(each.dimension, each.value) for each in changed] == [("seats", 40), ("sso", False), ("tier", "a")]


def test_each_event_is_shown_with_how_far_it_has_come(sandbox: Sandbox, visit: Visit, queue: Queue) -> None:
    purchase = bought(sandbox)
    queue.take()
    sandbox.world.act(purchase, "confirm")
    queue.receive()
    sandbox.world.act(purchase, "cancel")
    sandbox.world.act(purchase, "expire", delivery="late")

    page = visit(f"/purchases/{purchase.id}")

    assert texts(page, ".events .badge") == ["done", "being read", "in the queue", "held back"]
    told = sandbox.world.events(purchase)[0].body
    assert list(json.loads(texts(page, ".events pre")[0]).items()) == list(told.items())


def test_the_page_comes_again_by_itself_while_something_travels(sandbox: Sandbox, queue: Queue) -> None:
    path = f"/purchases/{bought(sandbox).id}"

    travelling = refresh(sandbox, path)
    queue.take()

    assert (travelling, refresh(sandbox, path)) == ("2", None)


def test_the_page_does_not_wait_for_ever_for_a_worker(sandbox: Sandbox) -> None:
    path = f"/purchases/{bought(sandbox).id}"

    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=21)):
        later = refresh(sandbox, path)

    assert later is None


def test_an_event_has_a_button_that_delivers_it_again(sandbox: Sandbox, visit: Visit, queue: Queue) -> None:
    purchase = bought(sandbox)
    (event,) = queue.take()
    (form,) = attributes(visit(f"/purchases/{purchase.id}"), ".events form")

    response = submit(sandbox, form["action"])

    assert response.status_code == 303
    assert queue.take() == [event]


@pytest.mark.parametrize(("order", "step"), [("as_happened", 1), ("reversed", -1)])
def test_what_is_held_back_is_released_in_either_order(
    sandbox: Sandbox, visit: Visit, queue: Queue, order: str, step: int
) -> None:
    purchase = sandbox.world.buy(Order(product_code=USAGE, delivery="late"))
    sandbox.world.act(purchase, "confirm", delivery="late")
    (form,) = attributes(visit(f"/purchases/{purchase.id}"), "form.buttons")

    submit(sandbox, form["action"], order=order)

    held = [event.id for event in sandbox.world.events(purchase)]
    assert [event["id"] for event in queue.take()] == held[::step]


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
    purchase = bought(sandbox, CONTRACT, after="confirm")

    response = submit(sandbox, f"/purchases/{purchase.id}/actions", **fields)

    assert response.status_code == status
    assert message in JustHTML(response.text, strict=True, sanitize=False).to_text()


def test_a_hostile_dimension_stays_text(sandbox: Sandbox, visit: Visit) -> None:
    hostile = '"><script>alert(1)</script>'
    purchase = bought(sandbox, CONTRACT, after="confirm")
    sandbox.world.act(purchase, "change_entitlements", entitlements=[{"dimension": hostile, "value": hostile}])

    page = visit(f"/purchases/{purchase.id}")

    assert page.query("script") == []
    assert hostile in page.query("main")[0].to_text()

"""The JSON API's calls that apply an action to a purchase and deliver its events."""

from typing import Any

import pytest

from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.sandbox.conftest import QueueReader
from tests.sandbox.test_actions import CONTRACT, create_purchase
from tests.sandbox.test_api import UNKNOWN_PURCHASE_PATH
from tests.support.sandbox_api import call_api


def test_action_returns_the_events_that_it_causes(sandbox: Sandbox, queue: QueueReader) -> None:
    purchase = create_purchase(sandbox, CONTRACT, "old")

    response = call_api(
        sandbox, "POST", f"/purchases/{purchase.id}/actions", {"action": "confirm", "delivery": "twice"}
    )

    (event,) = response.json()
    assert response.status_code == 201
    assert event["purchase_id"] == str(purchase.id)
    assert (event["state"], event["action"], event["channel"]) == ("queued", "confirm", "sns")
    assert queue.receive_and_delete_all() == [event["body"], event["body"]]


def test_action_accepts_its_options(sandbox: Sandbox) -> None:
    purchase = create_purchase(sandbox, CONTRACT, actions="confirm")
    quantities = [{"dimension": f"dimension {n}", "value": n} for n in range(30)]

    call_api(sandbox, "POST", f"/purchases/{purchase.id}/actions", {"action": "renew", "new_license": True})
    call_api(
        sandbox,
        "POST",
        f"/purchases/{purchase.id}/actions",
        {"action": "change_entitlements", "entitlements": quantities},
    )

    changed = call_api(sandbox, "GET", f"/purchases/{purchase.id}").json()
    assert changed["license_arn"] != purchase.license_arn
    assert changed["earlier_agreement_ids"] == [purchase.agreement_id]
    assert [(entitlement["dimension"], entitlement["value"]) for entitlement in changed["entitlements"]] == [
        (quantity["dimension"], quantity["value"]) for quantity in quantities
    ]


def test_event_of_a_late_order_is_held_back(sandbox: Sandbox) -> None:
    order = {"product_code": CONTRACT, "delivery": "late"}

    bought_id = call_api(sandbox, "POST", "/purchases", order).json()["id"]

    (event,) = call_api(sandbox, "GET", f"/purchases/{bought_id}/events").json()
    assert (event["state"], event["action"], event["copies"]) == ("held", "subscribe", [])


def test_events_are_listed_for_one_purchase_or_for_all(sandbox: Sandbox) -> None:
    first, second = create_purchase(sandbox), create_purchase(sandbox)

    events_of_first = call_api(sandbox, "GET", f"/purchases/{first.id}/events").json()
    all_events = call_api(sandbox, "GET", "/events").json()

    assert [event["purchase_id"] for event in events_of_first] == [str(first.id)]
    assert [event["purchase_id"] for event in all_events] == [str(first.id), str(second.id)]


def test_event_body_keeps_the_field_order_of_aws(sandbox: Sandbox) -> None:
    create_purchase(sandbox)

    (event,) = call_api(sandbox, "GET", "/events").json()

    assert list(event["body"])[:4] == ["version", "id", "detail-type", "source"]


def test_event_is_delivered_once_per_call(sandbox: Sandbox, queue: QueueReader) -> None:
    sandbox.marketplace.buy(Order(product_code=CONTRACT, delivery="late"))
    (held,) = sandbox.marketplace.events()

    first = call_api(sandbox, "POST", f"/events/{held.id}/deliver")
    second = call_api(sandbox, "POST", f"/events/{held.id}/deliver")

    assert first.status_code == second.status_code == 201
    assert len(second.json()["copies"]) == 2
    assert queue.receive_and_delete_all() == [held.body, held.body]


@pytest.mark.parametrize(("body", "step"), [(None, 1), ({"order": "reversed"}, -1)])
def test_release_delivers_every_held_event(sandbox: Sandbox, queue: QueueReader, body: Any, step: int) -> None:
    purchases = [sandbox.marketplace.buy(Order(product_code=CONTRACT, delivery="late")) for _ in range(2)]

    response = call_api(sandbox, "POST", "/events/deliver", body)

    expected = [str(purchase.id) for purchase in purchases][::step]
    assert response.status_code == 201
    assert [event["purchase_id"] for event in response.json()] == expected
    assert [event["id"] for event in queue.receive_and_delete_all()] == [event["id"] for event in response.json()]


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/purchases/{id}/actions", {"action": "cancel"}, 409, "cancel is not possible: the purchase is pending."),
        ("/purchases/{id}/actions", {}, 400, "action: Field required"),
        ("/purchases/{id}/actions", {"action": "confirm", "delivery": "soon"}, 400, "delivery: Input should be 'now'"),
        (
            "/purchases/{id}/actions",
            {"action": "change_entitlements", "entitlements": [{"dimension": "seats", "value": 1}]},
            400,
            "Acme Insights is paid by usage",
        ),
        (
            "/purchases/{id}/actions",
            {"action": "change_entitlements", "entitlements": [{"dimension": "seats"}]},
            400,
            "entitlements.0.value: Field required",
        ),
        (f"{UNKNOWN_PURCHASE_PATH}/actions", {"action": "confirm"}, 404, "There is no purchase 00000000-"),
        ("/events/nope/deliver", None, 404, "There is no event nope. GET /api/events lists them."),
        ("/events/deliver", {"order": "odd"}, 400, "order: Input should be 'as_happened' or 'reversed'"),
    ],
)
def test_invalid_action_call_names_the_problem_and_sends_nothing(
    sandbox: Sandbox, queue: QueueReader, *, path: str, body: Any, status: int, message: str
) -> None:
    purchase = create_purchase(sandbox, style="old")

    response = call_api(sandbox, "POST", path.format(id=purchase.id), body)

    assert response.status_code == status
    assert message in response.json()["error"]
    assert queue.receive() == []

"""Actions on a purchase: which are allowed, what they change, and which events they cause."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from sandbox.actions import ActionNotAllowed, NoEntitlements
from sandbox.purchases import Order, Purchase
from sandbox.server import Sandbox
from tests.sandbox.conftest import QueueReader
from tests.sandbox.test_resolve_customer import resolved_fields

if TYPE_CHECKING:
    from mypy_boto3_meteringmarketplace import MarketplaceMeteringClient

USAGE, CONTRACT, BOTH = "insights1example", "ledger2example", "relay3example"
CREATED, ENDED = "Purchase Agreement Created - Proposer", "Purchase Agreement Ended - Proposer"
UPDATED, DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"
SEATS = {"entitlements": [{"dimension": "seats", "value": 40}]}


def create_purchase(sandbox: Sandbox, product: str = USAGE, style: str = "new", actions: str = "") -> Purchase:
    order = Order.model_validate({"product_code": product, "account_id": "044455556666", "style": style})
    purchase = sandbox.marketplace.buy(order)
    for action in actions.split():
        sandbox.marketplace.apply_action(purchase, action)
    return purchase


def events_caused(sandbox: Sandbox, queue: QueueReader, purchase: Purchase, action: str, **options: Any) -> list[Any]:
    """Return the bodies of the events that the action causes."""
    queue.receive_and_delete_all()
    sandbox.marketplace.apply_action(purchase, action, **options)
    return queue.receive_and_delete_all()


@pytest.mark.parametrize(
    ("product", "after", "action", "options", "expected"),
    [
        (USAGE, "", "confirm", {}, [UPDATED]),
        (USAGE, "", "fail_payment", {}, [f"{ENDED} TERMINATED"]),
        (USAGE, "confirm", "fail_payment", {}, [f"{ENDED} TERMINATED", DEPROVISIONED]),
        (CONTRACT, "confirm", "change_entitlements", SEATS, [UPDATED]),
        (USAGE, "confirm", "cancel", {}, [f"{ENDED} CANCELLED"]),
        (USAGE, "confirm", "expire", {}, [f"{ENDED} EXPIRED", DEPROVISIONED]),
        (USAGE, "confirm cancel", "expire", {}, [DEPROVISIONED]),
        (CONTRACT, "confirm", "renew", {}, [f"{CREATED} ACTIVE", UPDATED, f"{ENDED} RENEWED"]),
        (
            CONTRACT,
            "confirm",
            "renew",
            {"new_license": True},
            [f"{CREATED} ACTIVE", UPDATED, f"{ENDED} RENEWED", DEPROVISIONED],
        ),
    ],
)
def test_new_style_action_causes_eventbridge_events(
    sandbox: Sandbox,
    queue: QueueReader,
    *,
    product: str,
    after: str,
    action: str,
    options: dict[str, Any],
    expected: list[str],
) -> None:
    purchase = create_purchase(sandbox, product, "new", after)

    events = events_caused(sandbox, queue, purchase, action, **options)

    agreements = [(event["detail-type"], event["detail"]["agreement"].get("status", "")) for event in events]
    assert [" ".join(filter(None, pair)) for pair in agreements] == expected


@pytest.mark.parametrize(
    ("product", "after", "action", "options", "expected"),
    [
        (USAGE, "", "confirm", {}, ["subscribe-success"]),
        (CONTRACT, "", "confirm", {}, ["entitlement-updated"]),
        (BOTH, "", "confirm", {}, ["subscribe-success", "entitlement-updated"]),
        (BOTH, "", "fail_payment", {}, ["subscribe-fail"]),
        (CONTRACT, "confirm", "change_entitlements", SEATS, ["entitlement-updated"]),
        (USAGE, "confirm", "renew", {}, ["subscribe-success"]),
        (CONTRACT, "confirm", "renew", {}, ["entitlement-updated"]),
        (USAGE, "confirm", "cancel", {}, ["unsubscribe-pending"]),
        (USAGE, "confirm cancel", "expire", {}, ["unsubscribe-success"]),
        (CONTRACT, "confirm", "expire", {}, ["entitlement-updated"]),
        (CONTRACT, "confirm cancel", "expire", {}, ["unsubscribe-success", "entitlement-updated"]),
        (BOTH, "confirm", "expire", {}, ["unsubscribe-success", "entitlement-updated"]),
        (USAGE, "confirm cancel", "resubscribe", {}, ["subscribe-success"]),
        (USAGE, "confirm expire", "resubscribe", {}, ["subscribe-success"]),
    ],
)
def test_old_style_action_causes_sns_notifications(
    sandbox: Sandbox,
    queue: QueueReader,
    *,
    product: str,
    after: str,
    action: str,
    options: dict[str, Any],
    expected: list[str],
) -> None:
    purchase = create_purchase(sandbox, product, "old", after)

    events = events_caused(sandbox, queue, purchase, action, **options)

    assert [json.loads(event["Message"])["action"] for event in events] == expected


def test_only_a_new_style_order_causes_an_event(sandbox: Sandbox, queue: QueueReader) -> None:
    new, _ = create_purchase(sandbox, style="new"), create_purchase(sandbox, style="old")

    received = queue.receive_and_delete_all()

    assert [(event["detail-type"], event["detail"]["agreement"]["id"]) for event in received] == [
        (CREATED, new.agreement_id)
    ]


@pytest.mark.parametrize(
    ("after", "status"),
    [
        ("", "pending"),
        ("confirm", "active"),
        ("fail_payment", "failed"),
        ("confirm cancel", "ending"),
        ("confirm cancel expire", "ended"),
        ("confirm renew", "active"),
        ("confirm expire resubscribe", "active"),
    ],
)
def test_actions_change_the_status_of_a_purchase(sandbox: Sandbox, after: str, status: str) -> None:
    purchase = create_purchase(sandbox, style="old", actions=after)

    assert sandbox.marketplace.get_purchase(purchase.id).status == status


@pytest.mark.parametrize("new_license", [False, True])
def test_token_resolves_to_the_new_agreement_after_a_renewal(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient", new_license: bool
) -> None:
    purchase = create_purchase(sandbox, actions="confirm")
    token = sandbox.marketplace.mint_token(purchase)

    sandbox.marketplace.apply_action(purchase, "renew", new_license=new_license)

    customer = resolved_fields(metering_client, token)
    assert customer["Metadata"]["AgreementId"] != purchase.agreement_id
    assert (customer["LicenseArn"] == purchase.license_arn) is not new_license


def test_returning_customer_keeps_the_customer_identifier(sandbox: Sandbox, queue: QueueReader) -> None:
    purchase = create_purchase(sandbox, style="old", actions="confirm expire")
    queue.receive_and_delete_all()

    sandbox.marketplace.apply_action(purchase, "resubscribe")

    (notification,) = queue.receive_and_delete_all()
    message = json.loads(notification["Message"])
    assert message["customer-identifier"] == purchase.customer_identifier
    assert message["offer-identifier"] != purchase.offer_id


@pytest.mark.parametrize(
    ("style", "after", "action", "options", "message"),
    [
        (
            "new",
            "",
            "cancel",
            {},
            "cancel is not possible: the purchase is pending. Possible now: confirm, fail_payment.",
        ),
        ("new", "confirm", "confirm", {}, "the purchase is active. Possible now: renew, cancel, expire, fail_payment."),
        ("new", "confirm expire", "resubscribe", {}, "the purchase is ended. Buy again instead."),
        ("old", "confirm cancel", "renew", {}, "the purchase is ending. Possible now: expire, resubscribe."),
        ("old", "confirm", "renew", {"new_license": True}, "an old-style purchase has no license"),
    ],
)
def test_impossible_action_is_refused_and_changes_nothing(
    sandbox: Sandbox, style: str, after: str, action: str, options: dict[str, Any], message: str
) -> None:
    purchase = create_purchase(sandbox, style=style, actions=after)
    before, events = sandbox.marketplace.get_purchase(purchase.id), sandbox.marketplace.events()

    with pytest.raises(ActionNotAllowed, match=message):
        sandbox.marketplace.apply_action(purchase, action, **options)

    assert sandbox.marketplace.get_purchase(purchase.id) == before
    assert sandbox.marketplace.events() == events


def test_usage_purchase_has_no_entitlements_to_change(sandbox: Sandbox) -> None:
    purchase = create_purchase(sandbox, actions="confirm")

    with pytest.raises(NoEntitlements, match=r"Acme Insights is paid by usage"):
        sandbox.marketplace.apply_action(purchase, "change_entitlements", **SEATS)


@pytest.mark.parametrize(
    ("action", "options"),
    [("explode", {}), ("change_entitlements", {}), ("cancel", SEATS), ("cancel", {"new_license": True})],
)
def test_option_of_another_action_is_refused(sandbox: Sandbox, action: str, options: dict[str, Any]) -> None:
    purchase = create_purchase(sandbox, CONTRACT, actions="confirm")

    with pytest.raises(ValidationError):
        sandbox.marketplace.apply_action(purchase, action, **options)

"""What may happen to a purchase, and what the seller is told of it."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from sandbox.lives import NoEntitlements, NotPossible
from sandbox.purchases import Order, Purchase
from sandbox.server import Sandbox
from tests.sandbox.conftest import Queue
from tests.sandbox.test_resolve_customer import answer

if TYPE_CHECKING:
    from mypy_boto3_meteringmarketplace import MarketplaceMeteringClient

USAGE, CONTRACT, BOTH = "insights1example", "ledger2example", "relay3example"
CREATED, ENDED = "Purchase Agreement Created - Proposer", "Purchase Agreement Ended - Proposer"
UPDATED, DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"
SEATS = {"entitlements": [{"dimension": "seats", "value": 40}]}


def bought(sandbox: Sandbox, product: str = USAGE, style: str = "new", after: str = "") -> Purchase:
    order = Order.model_validate({"product_code": product, "account_id": "044455556666", "style": style})
    purchase = sandbox.world.buy(order)
    for action in after.split():
        sandbox.world.act(purchase, action)
    return purchase


@pytest.mark.parametrize(
    ("product", "after", "action", "options", "told"),
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
def test_eventbridge_tells_of_a_new_style_purchase(
    sandbox: Sandbox, queue: Queue, *, product: str, after: str, action: str, options: dict[str, Any], told: list[str]
) -> None:
    purchase = bought(sandbox, product, "new", after)
    queue.take()

    sandbox.world.act(purchase, action, **options)

    agreements = [(event["detail-type"], event["detail"]["agreement"].get("status", "")) for event in queue.take()]
    assert [" ".join(filter(None, pair)) for pair in agreements] == told


@pytest.mark.parametrize(
    ("product", "after", "action", "options", "told"),
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
def test_sns_tells_of_an_old_style_purchase(
    sandbox: Sandbox, queue: Queue, *, product: str, after: str, action: str, options: dict[str, Any], told: list[str]
) -> None:
    purchase = bought(sandbox, product, "old", after)
    queue.take()

    sandbox.world.act(purchase, action, **options)

    assert [json.loads(event["Message"])["action"] for event in queue.take()] == told


def test_buying_is_told_of_at_once_in_the_new_style_alone(sandbox: Sandbox, queue: Queue) -> None:
    new, _ = bought(sandbox, style="new"), bought(sandbox, style="old")

    told = queue.take()

    assert [(event["detail-type"], event["detail"]["agreement"]["id"]) for event in told] == [
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
def test_a_purchase_has_a_state_of_its_own_on_awss_side(sandbox: Sandbox, after: str, status: str) -> None:
    purchase = bought(sandbox, style="old", after=after)

    assert sandbox.world.purchase(purchase.id).status == status


@pytest.mark.parametrize("new_license", [False, True])
def test_after_a_renewal_a_token_stands_for_the_new_agreement(
    sandbox: Sandbox, metering: "MarketplaceMeteringClient", new_license: bool
) -> None:
    purchase = bought(sandbox, after="confirm")
    token = sandbox.world.mint(purchase)

    sandbox.world.act(purchase, "renew", new_license=new_license)

    customer = answer(metering, token)
    assert customer["Metadata"]["AgreementId"] != purchase.agreement_id
    assert (customer["LicenseArn"] == purchase.license_arn) is not new_license


def test_who_comes_back_keeps_the_customer_identifier(sandbox: Sandbox, queue: Queue) -> None:
    purchase = bought(sandbox, style="old", after="confirm expire")
    queue.take()

    sandbox.world.act(purchase, "resubscribe")

    (notification,) = queue.take()
    message = json.loads(notification["Message"])
    assert message["customer-identifier"] == purchase.customer_identifier
    assert message["offer-identifier"] != purchase.offer_id


@pytest.mark.parametrize(
    ("style", "after", "action", "options", "sentence"),
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
def test_what_makes_no_sense_is_refused_and_nothing_happens(
    sandbox: Sandbox, style: str, after: str, action: str, options: dict[str, Any], sentence: str
) -> None:
    purchase = bought(sandbox, style=style, after=after)
    before, events = sandbox.world.purchase(purchase.id), sandbox.world.events()

    with pytest.raises(NotPossible, match=sentence):
        sandbox.world.act(purchase, action, **options)

    assert sandbox.world.purchase(purchase.id) == before
    assert sandbox.world.events() == events


def test_who_pays_for_usage_alone_has_no_entitlements_to_change(sandbox: Sandbox) -> None:
    purchase = bought(sandbox, after="confirm")

    with pytest.raises(NoEntitlements, match=r"Acme Insights is paid by usage"):
        sandbox.world.act(purchase, "change_entitlements", **SEATS)


@pytest.mark.parametrize(
    ("action", "options"),
    [("explode", {}), ("change_entitlements", {}), ("cancel", SEATS), ("cancel", {"new_license": True})],
)
def test_an_option_belongs_to_its_action(sandbox: Sandbox, action: str, options: dict[str, Any]) -> None:
    purchase = bought(sandbox, CONTRACT, after="confirm")

    with pytest.raises(ValidationError):
        sandbox.world.act(purchase, action, **options)

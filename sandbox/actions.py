"""The state machine of a purchase on AWS's side: which actions its status allows, and what each one changes."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from sandbox import entitlements, purchases
from sandbox.entitlements import Pricing, Quantity
from sandbox.purchases import DeliveryMode, Purchase, Status
from sandbox.strict_model import StrictModel

Action = Literal["confirm", "fail_payment", "change_entitlements", "renew", "cancel", "expire", "resubscribe"]

ACTIONS_BY_STATUS: dict[Status, tuple[Action, ...]] = {
    "pending": ("confirm", "fail_payment"),
    "active": ("change_entitlements", "renew", "cancel", "expire", "fail_payment"),
    "ending": ("expire", "resubscribe"),
    "ended": ("resubscribe",),
    "failed": ("resubscribe",),
}


# Names of a purchase's fields and their new values.
Changes = dict[str, Any]


class ActionNotAllowed(Exception):
    """The purchase's status does not allow the action. The message lists the actions that it allows."""


class NoEntitlements(Exception):
    """Buyers of this product pay for usage only, so the purchase has no entitlements to change."""


class ActionRequest(StrictModel):
    """An action on a purchase, its options, and how its events are delivered."""

    action: Action
    delivery: DeliveryMode = "now"
    new_license: bool = False
    entitlements: list[Quantity] | None = Field(default=None, max_length=200)

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        if (self.entitlements is not None) != (self.action == "change_entitlements"):
            raise ValueError("entitlements: required for change_entitlements, and not allowed for any other action")
        if self.new_license and self.action != "renew":
            raise ValueError("new_license: only renew accepts it")
        return self


def available(purchase: Purchase, pricing: Pricing) -> list[Action]:
    """Return the actions that are possible now."""
    # A new-style buyer who returns makes a new purchase, with its own agreement and license.
    impossible = {"resubscribe"} if purchase.style == "new" else set()
    if pricing == "subscription":
        impossible.add("change_entitlements")
    return [action for action in ACTIONS_BY_STATUS[purchase.status] if action not in impossible]


def apply(purchase: Purchase, request: ActionRequest, pricing: Pricing, at: datetime) -> Purchase:
    """Return the purchase as it is after the action.

    Raises:
        NoEntitlements: the product is paid by usage only.
        ActionNotAllowed: the status does not allow the action, or there is no license to replace.
    """
    _check_allowed(purchase, request, pricing)
    return purchase.model_copy(update=_changes(purchase, request, pricing, at))


def _check_allowed(purchase: Purchase, request: ActionRequest, pricing: Pricing) -> None:
    if request.action == "change_entitlements" and pricing == "subscription":
        raise NoEntitlements(f"{purchase.product_name} is paid by usage, so its purchases have no entitlements.")
    options = available(purchase, pricing)
    if request.action not in options:
        instead = f"Possible now: {', '.join(options)}." if options else "Buy again instead."
        raise ActionNotAllowed(f"{request.action} is not possible: the purchase is {purchase.status}. {instead}")
    if request.new_license and purchase.license_arn is None:
        raise ActionNotAllowed("new_license is not possible: an old-style purchase has no license.")


def _changes(purchase: Purchase, request: ActionRequest, pricing: Pricing, at: datetime) -> Changes:
    term_ends_at = purchase.ends_at or at + purchases.CONTRACT_TERM
    match request.action:
        case "confirm":
            changes = _activation_changes(pricing, term_ends_at)
        case "fail_payment":
            changes = _end_changes(purchase, at) | {"status": "failed"}
        case "change_entitlements":
            changes = {"entitlements": entitlements.with_expiry(request.entitlements or [], term_ends_at)}
        case "renew":
            renewed = entitlements.with_expiry(purchase.entitlements, at + purchases.CONTRACT_TERM)
            license_arn = purchases.new_license_arn() if request.new_license else purchase.license_arn
            changes = _new_agreement_changes(purchase, pricing, at) | {
                "entitlements": renewed,
                "license_arn": license_arn,
            }
        case "cancel":
            changes = {"status": "ending", "ends_at": at}
        case "expire":
            ended_at = term_ends_at if purchase.status == "ending" else at
            changes = _end_changes(purchase, at) | {"status": "ended", "ends_at": ended_at}
        case "resubscribe":
            changes = _new_agreement_changes(purchase, pricing, at) | _activation_changes(
                pricing, at + purchases.CONTRACT_TERM
            )
    return changes


def _activation_changes(pricing: Pricing, ends_at: datetime) -> Changes:
    return {
        "status": "active",
        "entitlements": entitlements.with_expiry(entitlements.default_quantities(pricing), ends_at),
    }


def _end_changes(purchase: Purchase, at: datetime) -> Changes:
    return {"ends_at": at, "entitlements": entitlements.with_expiry(purchase.entitlements, at)}


def _new_agreement_changes(purchase: Purchase, pricing: Pricing, at: datetime) -> Changes:
    return {
        "agreement_id": purchases.new_agreement_id(),
        "earlier_agreement_ids": [*purchase.earlier_agreement_ids, purchase.agreement_id],
        "accepted_at": at,
        "ends_at": None if pricing == "subscription" else at + purchases.CONTRACT_TERM,
    }

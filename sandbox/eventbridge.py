"""Builds the EventBridge events of a new-style purchase, as AWS sends them: `printed_forms` has what its pages print.

https://docs.aws.amazon.com/marketplace/latest/userguide/notifications-eventbridge.html
"""

from datetime import datetime
from typing import Any
from uuid import uuid4

from sandbox.events import EventDraft, format_milliseconds, format_seconds
from sandbox.purchases import Purchase
from sandbox.seller_account import REGION, SELLER_ACCOUNT_ID

# AWS sends a usage agreement, which has no end, with this one.
NO_END = "9999-01-01T00:00:00Z"


def build_drafts(action: str, before: Purchase, after: Purchase) -> list[EventDraft]:
    """Return the events of an action in order, for a seller who is both manufacturer and proposer."""
    match action:
        case "subscribe":
            return [_agreement_created(after)]
        case "confirm" | "change_entitlements":
            return [_license_changed("Updated", after)]
        case "fail_payment":
            deprovisioned = [_license_changed("Deprovisioned", after)] if before.status == "active" else []
            return [_agreement_ended(after, "TERMINATED"), *deprovisioned]
        case "cancel":
            return [_agreement_ended(after, "CANCELLED")]
        case "expire":
            ended = [] if before.status == "ending" else [_agreement_ended(after, "EXPIRED")]
            return [*ended, _license_changed("Deprovisioned", after)]
        case "renew":
            return _renewal_drafts(before, after)
    raise ValueError(action)


def envelope(draft: EventDraft, event_id: str, at: datetime) -> dict[str, Any]:
    """Return the event as EventBridge delivers it to SQS."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": draft.kind,
        "source": "aws.agreement-marketplace",
        "account": SELLER_ACCOUNT_ID,
        "time": format_seconds(at),
        "region": REGION,
        "resources": [draft.subject],
        "detail": draft.content,
    }


def _renewal_drafts(before: Purchase, after: Purchase) -> list[EventDraft]:
    ended = _agreement_ended(before, "RENEWED")
    replaced = [] if before.license_arn == after.license_arn else [_license_changed("Deprovisioned", before)]
    return [_agreement_created(after), _license_changed("Updated", after), ended, *replaced]


def _agreement_created(purchase: Purchase) -> EventDraft:
    accepted_at = format_milliseconds(purchase.accepted_at or purchase.bought_at)
    agreement = {
        "id": purchase.agreement_id,
        "intent": purchase.intent,
        "status": "ACTIVE",
        "acceptanceTime": accepted_at,
        "startTime": accepted_at,
        "endTime": format_seconds(purchase.ends_at) if purchase.ends_at else NO_END,
    }
    details = {"agreement": agreement, "offer": {"id": purchase.offer_id}, "resaleAuthorization": {"id": None}}
    if purchase.earlier_agreement_ids:
        agreement["previousAgreementId"] = purchase.earlier_agreement_ids[-1]
        details["product"] = {"id": purchase.product_id, "title": purchase.product_name}
    return _build_draft("Purchase Agreement Created - Proposer", purchase, details)


def _agreement_ended(purchase: Purchase, status: str) -> EventDraft:
    details = {"agreement": {"id": purchase.agreement_id, "status": status}}
    return _build_draft("Purchase Agreement Ended - Proposer", purchase, details)


def _license_changed(change: str, purchase: Purchase) -> EventDraft:
    details = {
        "agreement": {"id": purchase.agreement_id},
        "product": {"code": purchase.product_code, "id": purchase.product_id},
        "license": {"arn": purchase.license_arn},
        "offer": {"id": purchase.offer_id},
    }
    return _build_draft(f"License {change} - Manufacturer", purchase, details)


def _build_draft(kind: str, purchase: Purchase, details: dict[str, Any]) -> EventDraft:
    detail = {
        "requestId": str(uuid4()),
        "catalog": "AWSMarketplace",
        **details,
        "acceptor": {"accountId": purchase.account_id},
        "proposer": {"accountId": SELLER_ACCOUNT_ID},
    }
    return EventDraft(kind, f"arn:aws:aws-marketplace::aws:agreement:{purchase.agreement_id}", detail)

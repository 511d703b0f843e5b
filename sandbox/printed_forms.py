"""Spells an event as AWS's documentation prints it, where AWS's own events differ from that.

https://docs.aws.amazon.com/marketplace/latest/userguide/notifications-eventbridge.html
https://docs.aws.amazon.com/marketplace/latest/userguide/saas-notification.html
"""

from typing import Any

from sandbox.events import EventDraft, format_seconds
from sandbox.purchases import Purchase
from sandbox.seller_account import REGION, SELLER_ACCOUNT_ID


def spell(draft: EventDraft, purchase: Purchase) -> EventDraft:
    """Return the purchase's event as AWS's documentation prints it."""
    if "action" in draft.content:
        # The printed notification has a blank before the customer's identifier.
        identifier = f" {draft.content['customer-identifier']}"
        return EventDraft(draft.kind, draft.subject, {**draft.content, "customer-identifier": identifier})
    detail = {name: value for name, value in draft.content.items() if name != "resaleAuthorization"}
    if "license" in detail:
        number = detail["license"]["arn"].rpartition(":")[2]
        detail["license"] = {"arn": f"aws:license-manager:{REGION}:{SELLER_ACCOUNT_ID}:{number}"}
    else:
        detail |= {"agreement": _agreement(detail["agreement"], purchase), "offer": {"id": purchase.offer_id}}
    return EventDraft(draft.kind, draft.subject, detail)


def _agreement(live: dict[str, Any], purchase: Purchase) -> dict[str, Any]:
    accepted_at = format_seconds(purchase.accepted_at or purchase.bought_at)
    end = {"endTime": format_seconds(purchase.ends_at)} if purchase.ends_at else {}
    printed = {"intent": purchase.intent, "acceptanceTime": accepted_at, "startTime": accepted_at, **end}
    return {name: value for name, value in live.items() if name != "endTime"} | printed

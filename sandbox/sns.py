"""What SNS carries of an old-style purchase, wrapped as it comes into an SQS queue.

https://docs.aws.amazon.com/marketplace/latest/userguide/saas-notification.html
"""

import json
from datetime import datetime
from typing import Any

from sandbox.entitlements import Pricing
from sandbox.events import EventDraft
from sandbox.purchases import Purchase

# AWS's own account, which owns the topics.
TOPIC_ARN_PREFIX = "arn:aws:sns:us-east-1:287250355862"


def build_drafts(action: str, before: Purchase, after: Purchase, pricing: Pricing) -> list[EventDraft]:
    """Return what a seller is told of an action, in order. Of a purchase that is not yet confirmed, nothing."""
    match action:
        case "subscribe":
            return []
        case "confirm" | "renew" | "resubscribe":
            return _topic_drafts(after, pricing, "subscribe-success", on_subscription_topic=pricing != "contract")
        case "fail_payment":
            return [_subscription_draft("subscribe-fail", after)]
        case "change_entitlements":
            return [_entitlement_draft(after)]
        case "cancel":
            return [_subscription_draft("unsubscribe-pending", after)]
        case "expire":
            # A contract that was cancelled has been announced on the subscriptions' topic.
            by_usage = pricing != "contract" or before.status == "ending"
            return _topic_drafts(after, pricing, "unsubscribe-success", on_subscription_topic=by_usage)
    raise ValueError(action)


def envelope(draft: EventDraft, event_id: str, at: datetime) -> dict[str, Any]:
    """Return the notification as SNS puts it into a queue: what matters is JSON within JSON."""
    return {
        "Type": "Notification",
        "MessageId": event_id,
        "TopicArn": draft.subject,
        "Message": json.dumps(draft.content),
        "Timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "SignatureVersion": "1",
        "Signature": "cHJldGVuZA==",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-pretend.pem",
        "UnsubscribeURL": f"https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={draft.subject}:1",
    }


def _topic_drafts(
    purchase: Purchase, pricing: Pricing, action: str, *, on_subscription_topic: bool
) -> list[EventDraft]:
    usage = [_subscription_draft(action, purchase)] if on_subscription_topic else []
    contract = [] if pricing == "subscription" else [_entitlement_draft(purchase)]
    return usage + contract


def _subscription_draft(action: str, purchase: Purchase) -> EventDraft:
    offer = {
        "offer-identifier": purchase.offer_id,
        "isFreeTrialTermPresent": "true" if purchase.free_trial else "false",
    }
    return _build_draft("subscription", action, purchase, offer if action.startswith("subscribe-") else {})


def _entitlement_draft(purchase: Purchase) -> EventDraft:
    return _build_draft("entitlement", "entitlement-updated", purchase, {})


def _build_draft(topic: str, action: str, purchase: Purchase, more: dict[str, str]) -> EventDraft:
    message = {
        "action": action,
        "customer-identifier": purchase.customer_identifier,
        "product-code": purchase.product_code,
        **more,
    }
    return EventDraft(action, f"{TOPIC_ARN_PREFIX}:aws-mp-{topic}-notification-{purchase.product_code}", message)

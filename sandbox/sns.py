"""What SNS carries of an old-style purchase, wrapped as it comes into an SQS queue.

https://docs.aws.amazon.com/marketplace/latest/userguide/saas-notification.html
"""

import json
from datetime import datetime
from typing import Any

from sandbox.entitlements import Pricing
from sandbox.events import Draft
from sandbox.purchases import Purchase

# AWS's own account, which owns the topics.
TOPICS = "arn:aws:sns:us-east-1:287250355862"


def told(action: str, before: Purchase, after: Purchase, pricing: Pricing) -> list[Draft]:
    """Return what a seller is told of an action, in order. Of a purchase that is not yet confirmed, nothing."""
    match action:
        case "subscribe":
            return []
        case "confirm" | "renew" | "resubscribe":
            return _about(after, pricing, "subscribe-success", by_usage=pricing != "contract")
        case "fail_payment":
            return [_subscription("subscribe-fail", after)]
        case "change_entitlements":
            return [_entitlement(after)]
        case "cancel":
            return [_subscription("unsubscribe-pending", after)]
        case "expire":
            # A contract that was cancelled has been announced on the subscriptions' topic.
            by_usage = pricing != "contract" or before.status == "ending"
            return _about(after, pricing, "unsubscribe-success", by_usage=by_usage)
    raise ValueError(action)


def envelope(draft: Draft, event_id: str, at: datetime) -> dict[str, Any]:
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


def _about(purchase: Purchase, pricing: Pricing, action: str, *, by_usage: bool) -> list[Draft]:
    usage = [_subscription(action, purchase)] if by_usage else []
    contract = [] if pricing == "subscription" else [_entitlement(purchase)]
    return usage + contract


def _subscription(action: str, purchase: Purchase) -> Draft:
    offer = {
        "offer-identifier": purchase.offer_id,
        "isFreeTrialTermPresent": "true" if purchase.free_trial else "false",
    }
    return _draft("subscription", action, purchase, offer if action.startswith("subscribe-") else {})


def _entitlement(purchase: Purchase) -> Draft:
    return _draft("entitlement", "entitlement-updated", purchase, {})


def _draft(topic: str, action: str, purchase: Purchase, more: dict[str, str]) -> Draft:
    message = {
        "action": action,
        "customer-identifier": purchase.customer_identifier,
        "product-code": purchase.product_code,
        **more,
    }
    return Draft(action, f"{TOPICS}:aws-mp-{topic}-notification-{purchase.product_code}", message)

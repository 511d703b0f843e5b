"""Builds the SNS notifications of an old-style purchase in the envelope that SQS receives.

https://docs.aws.amazon.com/marketplace/latest/userguide/saas-notification.html
"""

import json
from datetime import datetime
from typing import Any

from sandbox.entitlements import Pricing
from sandbox.events import EventDraft, format_milliseconds
from sandbox.purchases import Purchase

# The account of AWS Marketplace, which owns the topics.
TOPIC_ARN_PREFIX = "arn:aws:sns:us-east-1:287250355862"


def build_drafts(action: str, before: Purchase, after: Purchase, pricing: Pricing) -> list[EventDraft]:
    """Return the notifications that an action causes, first to last: `subscribe` causes none until `confirm`."""
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
            # The cancellation of a contract was announced on the subscription topic, so its end follows there.
            by_usage = pricing != "contract" or before.status == "ending"
            return _topic_drafts(after, pricing, "unsubscribe-success", on_subscription_topic=by_usage)
    raise ValueError(action)


def envelope(draft: EventDraft, event_id: str, at: datetime) -> dict[str, Any]:
    """Return the notification as SNS delivers it to SQS: its Message is JSON as text."""
    return {
        "Type": "Notification",
        "MessageId": event_id,
        "TopicArn": draft.subject,
        "Message": json.dumps(draft.content),
        "Timestamp": format_milliseconds(at),
        "SignatureVersion": "1",
        "Signature": "cHJldGVuZA==",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-pretend.pem",
        "UnsubscribeURL": f"https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={draft.subject}:1",
    }


def _topic_drafts(
    purchase: Purchase, pricing: Pricing, action: str, *, on_subscription_topic: bool
) -> list[EventDraft]:
    subscription = [_subscription_draft(action, purchase)] if on_subscription_topic else []
    entitlement = [] if pricing == "subscription" else [_entitlement_draft(purchase)]
    return subscription + entitlement


def _subscription_draft(action: str, purchase: Purchase) -> EventDraft:
    offer_fields = {
        "offer-identifier": purchase.offer_id,
        "isFreeTrialTermPresent": "true" if purchase.free_trial else "false",
    }
    return _build_draft("subscription", action, purchase, offer_fields if action.startswith("subscribe-") else {})


def _entitlement_draft(purchase: Purchase) -> EventDraft:
    return _build_draft("entitlement", "entitlement-updated", purchase, {})


def _build_draft(topic: str, action: str, purchase: Purchase, extra: dict[str, str]) -> EventDraft:
    message = {
        "action": action,
        "customer-identifier": purchase.customer_identifier,
        "product-code": purchase.product_code,
        **extra,
    }
    return EventDraft(action, f"{TOPIC_ARN_PREFIX}:aws-mp-{topic}-notification-{purchase.product_code}", message)

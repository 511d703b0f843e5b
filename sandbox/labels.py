"""The storefront's labels for products, purchases, actions and events."""

from sandbox.actions import Action
from sandbox.entitlements import Pricing
from sandbox.events import EventState
from sandbox.purchases import DeliveryMode, Status

PRICING: dict[Pricing, str] = {
    "subscription": "Subscription: pay for what you use",
    "contract": "Contract: pay in advance for a term",
    "contract-with-consumption": "Contract with consumption: pay in advance, and for what you use beyond that",
}

STATUSES: dict[Status, str] = {
    "pending": "has subscribed, and AWS has not confirmed it yet",
    "active": "is subscribed, and AWS has confirmed it",
    "ending": "has cancelled, and keeps access a little longer",
    "ended": "no longer has access",
    "failed": "could not pay",
}

ACTIONS: dict[Action, tuple[str, str]] = {
    "confirm": ("Confirm", "AWS has checked the payment and grants access."),
    "renew": ("Renew", "The buyer agrees to another term."),
    "cancel": ("Cancel", "The buyer cancels. Access lasts a little longer: the seller sends the last usage."),
    "expire": ("Expire", "Access ends."),
    "fail_payment": ("Fail the payment", "The buyer’s payment does not go through."),
    "resubscribe": ("Come back", "The same customer subscribes again."),
}

DELIVERIES: dict[DeliveryMode, str] = {
    "now": "At once",
    "late": "Late: held back until you release them",
    "twice": "Twice",
    "reversed": "In reverse order, together with held events",
}

STATES: dict[EventState, str] = {
    "held": "held back",
    "queued": "in the queue",
    "in_flight": "being read",
    "dead_letter": "dead letter",
    "done": "done",
}

"""What the storefront's pages call things."""

from sandbox.actions import Action
from sandbox.entitlements import Pricing
from sandbox.events import EventState
from sandbox.purchases import DeliveryMode, Status

PRICING: dict[Pricing, str] = {
    "subscription": "Subscription: pay for what you use",
    "contract": "Contract: pay ahead for a term",
    "contract-with-consumption": "Contract with consumption: pay ahead, and for what you use beyond it",
}

STATUSES: dict[Status, str] = {
    "pending": "has subscribed, and AWS has still to confirm it",
    "active": "is subscribed, and AWS has confirmed it",
    "ending": "has cancelled, and keeps access for a little while",
    "ended": "has no access any more",
    "failed": "could not pay",
}

ACTIONS: dict[Action, tuple[str, str]] = {
    "confirm": ("Confirm", "AWS has checked the buyer’s payment and grants access."),
    "renew": ("Renew", "The buyer agrees to another term."),
    "cancel": ("Cancel", "The buyer ends it. Access lasts a little longer: the seller sends the last usage."),
    "expire": ("Expire", "Access is over."),
    "fail_payment": ("Fail the payment", "The buyer’s payment does not go through."),
    "resubscribe": ("Come back", "The same customer subscribes anew."),
}

DELIVERIES: dict[DeliveryMode, str] = {
    "now": "At once",
    "late": "Late: held back until you release them",
    "twice": "Twice",
    "reversed": "In reverse order, with what is held back",
}

STATES: dict[EventState, str] = {
    "held": "held back",
    "queued": "in the queue",
    "in_flight": "being read",
    "dead_letter": "dead letter",
    "done": "done",
}

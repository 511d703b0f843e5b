"""The product's labels for subscription statuses and refusals."""

from sandbox.example.handoffs import RefusalReason, SubscriptionStatus
from sandbox.example.state import UsageItemState

STATUSES: dict[SubscriptionStatus, tuple[str, str]] = {
    "pending": ("Pending", "AWS has not confirmed the purchase yet. You can look around until then."),
    "active": ("Active", "Everything is ready to use."),
    "ending": ("Ending", "It was cancelled. Access ends soon, so please download what you need."),
    "ended": ("Ended", "Access has ended. We keep your data for 90 days."),
    "failed": ("Failed", "The payment did not go through, so you have no access."),
}

# The labels of usage, and the statuses that have the same colours.
USAGE_STATES: dict[UsageItemState, tuple[str, str]] = {
    "unsent": ("Not sent yet", "pending"),
    "accepted": ("Sent", "active"),
    "conflict": ("Conflict", "failed"),
    "refused": ("Refused", "failed"),
}

REFUSALS: dict[RefusalReason, str] = {
    "not_found": "The account does not exist",
    "not_allowed": "The buyer may not use that account",
    "already_linked": "The account has another subscription",
    "confirmation_needed": "A member has to confirm it first",
    "not_supported": "The product does not support it",
}

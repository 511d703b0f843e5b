"""What the product's pages call things."""

from sandbox.example.handoffs import RefusalReason, SubscriptionStatus

STATUSES: dict[SubscriptionStatus, tuple[str, str]] = {
    "pending": ("Pending", "AWS has still to confirm the purchase. You can look around until then."),
    "active": ("Active", "Everything is switched on."),
    "ending": ("Ending", "It was cancelled. Please take along what you need: access ends soon."),
    "ended": ("Ended", "Access is over. What is in the account is kept for 90 days."),
    "failed": ("Failed", "The payment did not go through, so nothing is switched on."),
}

REFUSALS: dict[RefusalReason, str] = {
    "not_found": "There is no such account",
    "not_allowed": "The buyer may not use that account",
    "already_linked": "The account has another subscription",
    "confirmation_needed": "A member has to confirm it first",
    "not_supported": "The product cannot do that",
}

"""Which account in the product a buyer asks for, as a registration stores it and as a hand-off says it.

The column `registrations.account` is one string: "new", "existing", or the id of the other subscription whose account
this purchase shall join. A hand-off has the same as three members: `wish`, `existing_account` and `subscription_id`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row


@dataclass(frozen=True)
class AccountRequest:
    """`new`: a new account. `existing`: one that the buyer describes. `add`: the account of another subscription."""

    wish: Literal["new", "existing", "add"] = "new"
    # In the buyer's own words, which prove nothing.
    existing_account: str | None = None
    subscription_id: UUID | None = None


def of_registration(registration: Row[Any] | None) -> AccountRequest:
    """Return what the registration asks for; a purchase without a registration asks for a new account."""
    if registration is None or registration.account == "new":
        return AccountRequest()
    if registration.account == "existing":
        return AccountRequest("existing", registration.existing_account)
    return AccountRequest("add", subscription_id=UUID(registration.account))


def of_handoff(payload: Mapping[str, Any]) -> AccountRequest:
    """Return what a stored hand-off asked the product for."""
    account = payload["data"]["account"]
    subscription_id = UUID(account["subscription_id"]) if account["subscription_id"] else None
    return AccountRequest(account["wish"], account["existing_account"], subscription_id)

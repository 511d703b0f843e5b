"""Progress: how far the product is with the account of a registration, and the link that shows it in any browser."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import Row, exists, select
from sqlalchemy.orm import Session

from app.config import handoff_endpoints
from app.config.products import Product
from app.database.transactions import query
from app.models import Account, AuditEntry, OutboxMessage, Registration
from app.security import sign_in_tokens
from app.security.links import SignedLink
from app.services.operations import audit
from app.services.outbox import account_reply, announce, queue
from app.services.purchases import account_request

QUERY_PARAMETER = "foyer_assertion"
LINK = SignedLink("/progress/", "progress link", max_age=timedelta(days=30))


@dataclass(frozen=True)
class AccountProgress:
    """Where the account stands, since when the product has been asked for it, and what it answered.

    `unasked`: the product takes no hand-offs. `waiting`: it has not answered yet. `ready`: it has. `refused`: not the
    account that was asked for. `failed`: it did not answer for days, or said that it never will.
    `has_account` is whether it has made an account, be it not the one that is asked for now.
    """

    state: Literal["unasked", "waiting", "ready", "refused", "failed"]
    requested_at: datetime | None = None
    account: Account | None = None
    has_account: bool = False


NOT_REQUESTED = AccountProgress("unasked")


@query
def account_progress(session: Session, registration: Registration, product_code: str) -> AccountProgress:
    """Return how far the product is with the registration's account."""
    if handoff_endpoints.for_product(product_code) is None or registration.subscription_id is None:
        return NOT_REQUESTED
    account = session.get(Account, registration.subscription_id)
    taken = queue.latest_handoff(session, registration.id, OutboxMessage.outcome == "delivered")
    # Every hand-off carries the whole: one that was taken after it says as much, or without it, if the product took
    # none yet when the form was sent.
    made = taken if account and account_reply.is_identified(account) else None
    asked = queue.latest_handoff(session, registration.id, OutboxMessage.type.in_(announce.REGISTRATION_TYPES)) or made
    if asked is None:
        return NOT_REQUESTED
    has_account = account is not None and account_reply.exists(session, account, registration.id)
    is_taken = taken is not None and taken.sequence >= asked.sequence
    if is_taken or _has_requested_account(taken, asked, account):
        return AccountProgress(
            "refused" if account and account.refused else "ready", asked.created_at, account, has_account
        )
    return AccountProgress(
        "waiting" if asked.outcome == "waiting" else "failed", asked.created_at, account, has_account
    )


def _has_requested_account(delivered: Row[Any] | None, requested: Row[Any], account: Account | None) -> bool:
    """Return whether the account is there already, and something else than the account was changed."""
    if delivered is None or account is None or account.refused or not account_reply.is_identified(account):
        return False
    return account_request.of_handoff(delivered.payload) == account_request.of_handoff(requested.payload)


def path_for(registration_id: UUID) -> str:
    """Return the path of the page that shows the registration's progress in any browser, for 30 days."""
    return LINK.path_for(registration_id)


@query
def registration_from_link(session: Session, link: str) -> Registration | None:
    """Return the registration that a link leads to, if it is ours, not too old, and the registration is still there.

    One that was merged into another, since their purchases turned out to be one, is there as that other.
    """
    registration_id = LINK.id_from(link)
    if registration_id is None:
        return None
    return session.get(Registration, registration_id) or _find_merged_into(session, registration_id)


@query
def merged_into(session: Session, registration_id: UUID) -> UUID | None:
    """Return the id of the registration that this one, which is gone, has become part of, if it has."""
    found = None if session.get(Registration, registration_id) else _find_merged_into(session, registration_id)
    return found.id if found else None


def _find_merged_into(session: Session, registration_id: UUID) -> Registration | None:
    """Return the registration of the purchase for which the one that is gone was sent."""
    sent = select(AuditEntry.subscription_id, AuditEntry.at).where(AuditEntry.registration_id == registration_id)
    last = sent.order_by(AuditEntry.at.desc()).limit(1).subquery()
    # Who registers for the purchase after an erasure is not shown to whom has the link of before.
    erased_since = exists().where(
        AuditEntry.subscription_id == last.c.subscription_id,
        AuditEntry.action == audit.REGISTRATION_ERASED,
        AuditEntry.at >= last.c.at,
    )
    its_purchase = Registration.subscription_id == last.c.subscription_id
    return session.scalar(select(Registration).join(last, its_purchase).where(~erased_since))


def url_for_buyer(product: Product, registration: Registration, account: Account | None) -> str:
    """Return the URL of the account that the product made, or of the product's sign-in page.

    For a product that receives hand-offs, the URL carries a sign-in token that names the buyer: valid once, for five
    minutes.
    """
    url = (account.url if account else None) or product.sign_in_url
    if handoff_endpoints.for_product(product.code) is None or registration.subscription_id is None:
        return url
    reference = account.reference if account else None
    token = sign_in_tokens.issue(product.code, registration.subscription_id, registration.id, reference)
    parts = urlsplit(url)
    # The product's own query keeps its spelling: it may be signed.
    return parts._replace(query=f"{parts.query}&{QUERY_PARAMETER}={token}".lstrip("&")).geturl()

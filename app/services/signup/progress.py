"""Progress: whether the product has made the account for a registration, and a link to the page that shows it."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import Connection, Row, and_, bindparam, exists, select, true

from app.config import products
from app.config.products import Product
from app.database import clock
from app.database.transactions import query, transaction
from app.errors import DatabaseUnavailable
from app.models import AuditEntry, Invitation, OutboxMessage, Registration, Subscription
from app.security import sign_in_tokens
from app.security.links import SignedLink
from app.services.operations import audit
from app.services.operations.audit import AuditRecord
from app.services.outbox import account_claim, account_reply, announce
from app.services.outbox.account_claim import Claim
from app.services.outbox.account_reply import AccountReply
from app.services.purchases import account_request
from app.services.purchases.purchase import Purchase
from app.services.signup import invitations, registrations

AccountState = Literal["unasked", "waiting", "ready", "refused", "failed"]

QUERY_PARAMETER = "foyer_assertion"
ENTERED = "product.entered"
# To the page that shows a registration's progress in any browser.
LINK = SignedLink("/progress/", "progress link", max_age=timedelta(days=30))

LATEST_ENTRY = (
    select(AuditEntry.subscription_id, AuditEntry.at)
    .where(AuditEntry.registration_id == bindparam("registration"))
    .order_by(AuditEntry.at.desc())
    .limit(1)
    .subquery()
)
HAS_ENTERED = select(AuditEntry.id).where(
    AuditEntry.registration_id == bindparam("registration"), AuditEntry.action == ENTERED
)
# A link from before an erasure must not show the person who has registered for the purchase since.
ERASED_SINCE = exists().where(
    AuditEntry.subscription_id == LATEST_ENTRY.c.subscription_id,
    AuditEntry.action == audit.REGISTRATION_ERASED,
    AuditEntry.at >= LATEST_ENTRY.c.at,
)
BY_ID = select(Registration.__table__).where(Registration.id == bindparam("registration"))
# The registration that is stored now for the purchase that the merged one was sent for.
MERGED_INTO = (
    select(Registration.__table__)
    .join(LATEST_ENTRY, Registration.subscription_id == LATEST_ENTRY.c.subscription_id)
    .where(~ERASED_SINCE)
)


# Of the registration, the latest hand-off that was delivered and the latest that asked for the account: often the same.
OF_CLAIMANT = and_(OutboxMessage.registration_id == bindparam("claimant"), OutboxMessage.sequence.is_not(None))
LATEST_IDS = [
    select(OutboxMessage.id)
    .where(OF_CLAIMANT, condition)
    .order_by(OutboxMessage.sequence.desc())
    .limit(1)
    .scalar_subquery()
    for condition in (OutboxMessage.outcome == "delivered", account_claim.IS_REQUEST)
]
STRONGEST = account_claim.STRONGEST.subquery()
LATEST_HANDOFFS = (
    select(*OutboxMessage.__table__.c["type", "outcome", "sequence", "created_at", "payload"], *STRONGEST.c)
    .join(STRONGEST, true())
    .where(OutboxMessage.id.in_(LATEST_IDS))
    .order_by(OutboxMessage.sequence.desc())
)
HAS_COLLEAGUES = exists().where(Invitation.subscription_id == Subscription.id, invitations.IS_ACCEPTED)
SUBSCRIPTION = select(Subscription.__table__, HAS_COLLEAGUES.label("has_colleagues")).where(
    Subscription.id == bindparam("subscription_id")
)


@dataclass(frozen=True)
class AccountProgress:
    """The state of the account, when the product was last asked for it, and the account from its replies.

    `unasked`: the product receives no hand-offs. `waiting`: it has not replied yet. `ready`: it has. `refused`: it
    replied that it does not give the account asked for. `failed`: it did not reply for days, or refused the hand-off
    for good. `has_account`: it has made an account, which may be another than the one asked for now, or it may have.
    """

    state: AccountState
    requested_at: datetime | None = None
    account: AccountReply | None = None
    has_account: bool = False


NOT_REQUESTED = AccountProgress("unasked")


@dataclass(frozen=True)
class RegisteredPurchase:
    """A registration with its subscription and account, as of one transaction.

    `subscription` is None while the token is pending. Beside its columns, the row has `has_colleagues`: whether one
    has accepted an invitation.
    """

    registration: Row[Any]
    subscription: Row[Any] | None = None
    progress: AccountProgress = NOT_REQUESTED


def find(purchase: Purchase) -> RegisteredPurchase | None:
    """Return the purchase, if the buyer has registered."""
    return _find(purchase) if any(purchase.ids) else None


@query
def _find(connection: Connection, purchase: Purchase) -> RegisteredPurchase | None:
    registration, account = registrations.find_with_reply(connection, *purchase.ids)
    return _load(connection, registration, account) if registration else None


def _load(connection: Connection, registration: Row[Any], account: AccountReply | None) -> RegisteredPurchase:
    if registration.subscription_id is None:
        return RegisteredPurchase(registration)
    subscription = connection.execute(SUBSCRIPTION, {"subscription_id": registration.subscription_id}).one()
    receives_handoffs = subscription.product_code in products.current().handoff_endpoints
    progress = _find_progress(connection, registration.id, account) if receives_handoffs else NOT_REQUESTED
    return RegisteredPurchase(registration, subscription, progress)


def _find_progress(connection: Connection, registration_id: UUID, account: AccountReply | None) -> AccountProgress:
    latest = connection.execute(LATEST_HANDOFFS, {"claimant": registration_id}).all()
    delivered = next((handoff for handoff in latest if handoff.outcome == "delivered"), None)
    # Where the product received no hand-offs when the form was sent, a later hand-off asked for the account.
    fallback = delivered if account and account_reply.is_identified(account) else None
    requested = next((handoff for handoff in latest if handoff.type in announce.REGISTRATION_TYPES), fallback)
    if requested is None:
        return NOT_REQUESTED
    has_account = account_claim.from_handoffs(account, requested) > Claim.NONE
    return AccountProgress(_state(account, requested, delivered), requested.created_at, account, has_account)


def _state(account: AccountReply | None, requested: Row[Any], delivered: Row[Any] | None) -> AccountState:
    # Every hand-off carries the whole registration: a later one that was delivered asked for the account as well.
    if delivered and (delivered.sequence >= requested.sequence or _is_same_account(account, requested, delivered)):
        return "refused" if account and account.refused else "ready"
    return "waiting" if requested.outcome == "waiting" else "failed"


def _is_same_account(account: AccountReply | None, requested: Row[Any], delivered: Row[Any]) -> bool:
    """Return whether the product has made the account that is requested: the form changed other answers only."""
    if account is None or account.refused or not account_reply.is_identified(account):
        return False
    return account_request.of_handoff(delivered.payload) == account_request.of_handoff(requested.payload)


def find_by_link(link: str) -> RegisteredPurchase | None:
    """Return the purchase that a link leads to; None where the link is not valid or the registration was erased.

    A registration that was merged into another leads to that other one.
    """
    registration_id = LINK.id_from(link)
    return _find_by_link(registration_id) if registration_id else None


@query
def _find_by_link(connection: Connection, registration_id: UUID) -> RegisteredPurchase | None:
    registration = _find_by_id(connection, registration_id) or _find_merged_into(connection, registration_id)
    if registration is None:
        return None
    subscription_id = registration.subscription_id
    account = account_reply.account_of(connection, subscription_id) if subscription_id else None
    return _load(connection, registration, account)


@query
def merged_into(connection: Connection, registration_id: UUID) -> UUID | None:
    """Return the id of the registration that this one was merged into; None where it was not merged."""
    if _find_by_id(connection, registration_id):
        return None
    target = _find_merged_into(connection, registration_id)
    return target.id if target else None


def _find_by_id(connection: Connection, registration_id: UUID) -> Row[Any] | None:
    return connection.execute(BY_ID, {"registration": registration_id}).one_or_none()


def _find_merged_into(connection: Connection, registration_id: UUID) -> Row[Any] | None:
    return connection.execute(MERGED_INTO, {"registration": registration_id}).one_or_none()


def try_record_entry(registration_id: UUID, subscription_id: UUID | None) -> None:
    """Record that the buyer enters the product, the first time. While the database is down, they enter all the same."""
    with suppress(DatabaseUnavailable):
        if not _has_entered(registration_id):
            _record_entry(registration_id, subscription_id)


@query
def _has_entered(connection: Connection, registration_id: UUID) -> bool:
    return connection.scalars(HAS_ENTERED, {"registration": registration_id}).first() is not None


@transaction
def _record_entry(connection: Connection, registration_id: UUID, subscription_id: UUID | None) -> None:
    entry = AuditRecord(clock.now(), ENTERED, audit.BUYER_ACTOR, registration_id, subscription_id)
    audit.record(connection, [entry])


def url_for_buyer(product: Product, registration: Row[Any], account: AccountReply | None) -> str:
    """Return the URL of the account that the product made, else of the product's sign-in page.

    For a product that receives hand-offs, the URL carries a sign-in token for the buyer: valid once, for five minutes.
    """
    url = (account.url if account else None) or product.sign_in_url
    if product.code not in products.current().handoff_endpoints or registration.subscription_id is None:
        return url
    reference = account.reference if account else None
    token = sign_in_tokens.issue(product.code, registration.subscription_id, registration.id, reference)
    parts = urlsplit(url)
    # The product's own query stays as it is, not encoded anew: it may be signed.
    return parts._replace(query=f"{parts.query}&{QUERY_PARAMETER}={token}".lstrip("&")).geturl()

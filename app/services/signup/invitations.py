"""Invitations: a purchaser asks a colleague to set up the account, with a link that works once and for a week."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from hashlib import sha256
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, Uuid, and_, bindparam, func, insert, or_, select, update

from app.config import products
from app.database import clock, rows
from app.database.transactions import after_commit, query, transaction
from app.languages.table import ENGLISH, Language
from app.models import AuditEntry, Invitation, OutboxMessage, Subscription
from app.security.links import EncryptedLink
from app.services.operations import audit
from app.services.operations.audit import AuditRecord
from app.services.outbox import queue
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Resolved
from app.services.signup import resolve

log = structlog.get_logger()

SENT, ACCEPTED, REVOKED = "invitation.sent", "invitation.accepted", "invitation.revoked"
TTL, DAY = timedelta(days=7), timedelta(days=1)
LINK = EncryptedLink("/invitation/", "invitation")
MAX_OPEN = 5
MAX_PER_DAY = 20
# From all purchases together: anybody can type a stranger's address.
MAX_MAILS_TO_ADDRESS = 5
MAIL = "colleague_invited"
MAX_ID = UUID(int=2**128 - 1)
# A second press on the button within this time sends no second mail.
RESEND_INTERVAL = timedelta(minutes=1)
REACCEPT_WITHIN = timedelta(minutes=10)

TABLE = Invitation.__table__
BY_ID = Invitation.id == bindparam("invitation_id")
OF_SUBSCRIPTION = Invitation.subscription_id == bindparam("subscription")
IS_OPEN = and_(
    Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None), Invitation.expires_at > bindparam("now")
)
# A session that began with an accepted one lives on until it is revoked.
IS_ACCEPTED = and_(Invitation.accepted_at.is_not(None), Invitation.revoked_at.is_(None))
LIST_ACCEPTED = select(TABLE).where(OF_SUBSCRIPTION, IS_ACCEPTED).order_by(Invitation.id)
IS_IN_FORCE = select(Invitation.id).where(BY_ID, Invitation.revoked_at.is_(None))
LIST_OPEN = select(TABLE).where(OF_SUBSCRIPTION, IS_OPEN).order_by(Invitation.id)
OPEN_FOR_EMAIL = LIST_OPEN.where(func.lower(Invitation.email) == func.lower(bindparam("email"))).limit(1)
COUNT_OPEN = select(func.count()).where(OF_SUBSCRIPTION, IS_OPEN)
COUNT_SENT = select(func.count()).where(
    AuditEntry.subscription_id == bindparam("subscription"),
    AuditEntry.action == SENT,
    AuditEntry.at > bindparam("since"),
)
INSERT = insert(Invitation).returning(TABLE)
UPDATE = update(Invitation).where(BY_ID).returning(TABLE)
FIND_OPEN = select(TABLE).where(BY_ID, IS_OPEN)
OFFERED_SUBSCRIPTION = (
    select(Subscription.__table__).join(Invitation, Invitation.subscription_id == Subscription.id).where(BY_ID, IS_OPEN)
)
# The browser that accepted it may accept it again: the answer to its first press may have been lost.
IS_SAME_BROWSER = and_(
    Invitation.accepted_by == bindparam("browser_digest"),
    Invitation.accepted_at > bindparam("accepted_after"),
    Invitation.revoked_at.is_(None),
)
ACCEPT = (
    update(Invitation)
    .where(BY_ID, or_(IS_OPEN, IS_SAME_BROWSER))
    .values(accepted_at=func.coalesce(Invitation.accepted_at, bindparam("now")))
    .returning(Invitation.subscription_id, Invitation.accepted_at)
)
# For a day after it was last sent, an address counts towards its limit: a purchaser can accept with a copied link.
PURGE_EMAILS = (
    update(Invitation)
    .where(Invitation.email.is_not(None), ~IS_OPEN, Invitation.expires_at < bindparam("sent_before"))
    .values(email=None)
)
IDS_OF_ADDRESS = select(Invitation.id).where(func.lower(Invitation.email) == func.lower(bindparam("email")))
COUNT_MAILS = select(func.count()).where(
    OutboxMessage.type == MAIL,
    OutboxMessage.outcome.in_(("waiting", "delivered")),
    OutboxMessage.created_at > bindparam("since"),
    OutboxMessage.id < bindparam("before", type_=Uuid),
    OutboxMessage.payload["invitation"].as_string().in_(bindparam("invitations", expanding=True)),
)


class Refusal(Enum):
    """Why no further colleague can be invited for now."""

    TOO_MANY_OPEN = "too_many_open"
    TOO_MANY_TODAY = "too_many_today"
    TOO_MANY_TO_ADDRESS = "too_many_to_address"


def actor(invitation_id: UUID) -> str:
    """Return the audit log's name for a colleague who came with that invitation."""
    return f"invitation:{invitation_id}"


@transaction
def invite(
    connection: Connection, subscription_id: UUID, email: str, inviter: str, language: Language = ENGLISH
) -> Row[Any] | Refusal:
    """Invite the address to set up the purchase, by mail in the inviter's language where mail is on.

    An address with an open invitation keeps it: the same invitation is sent again and works for another week.
    """
    now = clock.now()
    # Lock the subscription; otherwise two who invite at once are both counted as the fifth.
    subscriptions.lock(connection, subscription_id)
    is_open = {"subscription": subscription_id, "email": email, "now": now}
    stored = connection.execute(OPEN_FOR_EMAIL, is_open).one_or_none()
    if stored and now - (stored.expires_at - TTL) < RESEND_INTERVAL:
        after_commit(log.info, SENT, invitation=str(stored.id), subscription=str(subscription_id))
        return stored
    refusal = _check_limits(connection, subscription_id, now, is_new=stored is None)
    if products.current().sends_mail and count_mails(connection, email, now - DAY) >= MAX_MAILS_TO_ADDRESS:
        refusal = refusal or Refusal.TOO_MANY_TO_ADDRESS
    if refusal:
        after_commit(log.warning, "invitation.refused", subscription=str(subscription_id), reason=refusal.value)
        return refusal
    sent = {"expires_at": now + TTL, "language": language.code}
    new = {"subscription_id": subscription_id, "email": email, "created_at": now}
    key = {"invitation_id": stored.id} if stored else new
    invitation = connection.execute(UPDATE if stored else INSERT, {**key, **sent}).one()
    audit.record(connection, [AuditRecord(now, SENT, inviter, subscription_id=subscription_id)])
    if products.current().sends_mail:
        payload = {"invitation": str(invitation.id)}
        queue.enqueue(connection, [queue.new_mail(MAIL, subscription_id=subscription_id, payload=payload)])
    after_commit(log.info, SENT, invitation=str(invitation.id), subscription=str(subscription_id))
    return invitation


def _check_limits(connection: Connection, subscription_id: UUID, now: datetime, *, is_new: bool) -> Refusal | None:
    is_open = {"subscription": subscription_id, "now": now}
    if is_new and connection.execute(COUNT_OPEN, is_open).scalar_one() >= MAX_OPEN:
        return Refusal.TOO_MANY_OPEN
    # Invitations that were sent again count as well: this must not fill a stranger's mailbox.
    today = {"subscription": subscription_id, "since": now - DAY}
    return Refusal.TOO_MANY_TODAY if connection.execute(COUNT_SENT, today).scalar_one() >= MAX_PER_DAY else None


def count_mails(connection: Connection, email: str, since: datetime, before_id: UUID = MAX_ID) -> int:
    """Return how many invitations were mailed to the address since then, of all purchases and before that mail."""
    ids = [str(invitation_id) for invitation_id in connection.execute(IDS_OF_ADDRESS, {"email": email}).scalars()]
    mails = {"invitations": ids, "since": since, "before": before_id}
    return connection.execute(COUNT_MAILS, mails).scalar_one() if ids else 0


@query
def list_open(connection: Connection, subscription_id: UUID) -> list[Row[Any]]:
    """Return the subscription's invitations that can still be accepted, the oldest first."""
    return list(connection.execute(LIST_OPEN, {"subscription": subscription_id, "now": clock.now()}))


@query
def list_accepted(connection: Connection, subscription_id: UUID) -> list[Row[Any]]:
    """Return the subscription's invitations that somebody has accepted and nobody revoked, the oldest first."""
    return list(connection.execute(LIST_ACCEPTED, {"subscription": subscription_id}))


@query
def is_revoked(connection: Connection, invitation_id: UUID) -> bool:
    """Return whether the invitation was revoked, before or after it was accepted."""
    return connection.scalar(IS_IN_FORCE, {"invitation_id": invitation_id}) is None


@query
def find_open(connection: Connection, invitation_id: UUID) -> Row[Any] | None:
    """Return the invitation, if it can still be accepted."""
    return connection.execute(FIND_OPEN, {"invitation_id": invitation_id, "now": clock.now()}).one_or_none()


@query
def find_offered_purchase(connection: Connection, invitation_id: UUID) -> Resolved | None:
    """Return the purchase that the invitation is for, if it can still be accepted. Does not accept it."""
    parameters = {"invitation_id": invitation_id, "now": clock.now()}
    subscription = connection.execute(OFFERED_SUBSCRIPTION, parameters).one_or_none()
    return resolve.from_subscription(subscription) if subscription else None


@transaction
def accept(connection: Connection, invitation_id: UUID, browser_id: bytes) -> Resolved | None:
    """Use up the invitation and return its purchase; None where it was used, was revoked or has expired.

    Of several browsers that try at once, one gets it. That browser may accept it again for ten minutes.
    """
    now, digest = clock.now(), sha256(browser_id).digest()
    condition = {"invitation_id": invitation_id, "browser_digest": digest, "accepted_after": now - REACCEPT_WITHIN}
    accepted = connection.execute(ACCEPT, {**condition, "now": now, "accepted_by": digest}).one_or_none()
    if accepted is None:
        return None
    subscription_id = accepted.subscription_id
    if accepted.accepted_at == now:
        audit.record(connection, [AuditRecord(now, ACCEPTED, actor(invitation_id), subscription_id=subscription_id)])
    after_commit(log.info, ACCEPTED, invitation=str(invitation_id), subscription=str(subscription_id))
    row = connection.execute(subscriptions.SELECT_ROW, {"subscription_id": subscription_id}).one()
    return resolve.from_subscription(row)


@transaction
def revoke(connection: Connection, invitation_id: UUID, revoker: str, subscription_id: UUID | None = None) -> bool:
    """Revoke the invitation, where one is given of this subscription only; return whether it was open or accepted.

    The session of the colleague who accepted it ends with its next request.
    """
    now = clock.now()
    conditions = rows.filter_conditions({Invitation.id: invitation_id, Invitation.subscription_id: subscription_id})
    revocation = update(Invitation).where(*conditions, or_(IS_OPEN, IS_ACCEPTED)).values(revoked_at=now)
    revoked = connection.execute(revocation.returning(Invitation.subscription_id), {"now": now}).scalar_one_or_none()
    if revoked is None:
        return False
    audit.record(connection, [AuditRecord(now, REVOKED, revoker, subscription_id=revoked)])
    after_commit(log.info, REVOKED, invitation=str(invitation_id))
    return True


@transaction
def purge_emails(connection: Connection) -> int:
    """Erase the addresses of invitations that are no longer open, a day after the last mail; return how many."""
    now = clock.now()
    return connection.execute(PURGE_EMAILS, {"now": now, "sent_before": now - DAY + TTL}).rowcount


@query
def newest(
    connection: Connection,
    *,
    limit: int,
    subscription_id: UUID | None = None,
    invitation_id: UUID | None = None,
    since: datetime | None = None,
) -> list[rows.RowDict]:
    """Return the invitations that match every filter given, newest first, each with its state."""
    conditions = rows.filter_conditions({Invitation.subscription_id: subscription_id, Invitation.id: invitation_id})
    conditions += rows.since_condition(Invitation.created_at, since)
    shown = [column for column in TABLE.columns if column.key != "accepted_by"]
    statement = select(*shown).where(*conditions).order_by(Invitation.id.desc()).limit(limit)
    return [{**row, "state": _state(row, clock.now())} for row in rows.fetch_all(connection, statement)]


def _state(row: Mapping[str, Any], now: datetime) -> str:
    states = {"revoked": row["revoked_at"], "accepted": row["accepted_at"], "open": row["expires_at"] > now}
    return next((state for state, holds in states.items() if holds), "expired")

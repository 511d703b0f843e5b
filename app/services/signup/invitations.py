"""Invitations: who bought asks a colleague to set up the account, with a link that is good once and for a week."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from hashlib import sha256
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, or_, select, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from app.database import rows
from app.database.transactions import query, transaction
from app.mail import mailer
from app.models import AuditEntry, Invitation, Subscription
from app.security.links import SignedLink
from app.services.operations import audit
from app.services.operations.audit import AuditRecord
from app.services.outbox import queue
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Resolved
from app.services.signup import resolve

log = structlog.get_logger()

SENT, ACCEPTED, REVOKED = "invitation.sent", "invitation.accepted", "invitation.revoked"
MAIL_TYPE = "colleague_invited"
TTL = timedelta(days=7)
LINK = SignedLink("/invitation/", "invitation")
MAX_OPEN = 5
MAX_PER_DAY = 20
DAY = timedelta(days=1)
# Whoever presses twice means it once: the second press sends no second mail.
RESEND_INTERVAL = timedelta(minutes=1)
REACCEPT_WITHIN = timedelta(minutes=10)


class Refusal(Enum):
    """Why nobody more is invited for now."""

    TOO_MANY_OPEN = "too_many_open"
    TOO_MANY_TODAY = "too_many_today"


def actor(invitation_id: UUID) -> str:
    """Return what the audit calls whoever came with that invitation."""
    return f"invitation:{invitation_id}"


def invite(subscription_id: UUID, email: str, inviter: str) -> Row[Any] | Refusal:
    """Invite the address to set up the purchase, by mail where mail is on, and return the invitation.

    An address that has an open invitation keeps it: the same one is sent again, and is good for another week.

    Raises:
        DatabaseUnavailable: nobody was invited.
    """
    outcome = _invite(subscription_id, email, inviter, datetime.now(UTC))
    if isinstance(outcome, Refusal):
        log.warning("invitation.refused", subscription=str(subscription_id), reason=outcome.value)
    else:
        log.info(SENT, invitation=str(outcome.id), subscription=str(subscription_id))
    return outcome


@transaction
def _invite(
    connection: Connection, subscription_id: UUID, email: str, inviter: str, now: datetime
) -> Row[Any] | Refusal:
    # Two who invite at once are counted one after the other.
    subscriptions.lock(connection, subscription_id)
    known = _find_open_for_email(connection, subscription_id, email, now)
    if known and now - (known.expires_at - TTL) < RESEND_INTERVAL:
        return known
    if refused := _check_limits(connection, subscription_id, now, is_new=known is None):
        return refused
    kept = _extend(connection, known.id, now) if known else _insert(connection, subscription_id, email, now)
    audit.record(connection, [AuditRecord(now, SENT, inviter, subscription_id=subscription_id)])
    if mailer.is_enabled():
        queue.enqueue_mail(connection, MAIL_TYPE, subscription_id=subscription_id, payload={"invitation": str(kept.id)})
    return kept


def _find_open_for_email(connection: Connection, subscription_id: UUID, email: str, now: datetime) -> Row[Any] | None:
    same = (Invitation.subscription_id == subscription_id, func.lower(Invitation.email) == func.lower(email))
    found = select(Invitation.__table__).where(*same, *_is_open(now)).order_by(Invitation.id).limit(1)
    return connection.execute(found).one_or_none()


def _check_limits(connection: Connection, subscription_id: UUID, now: datetime, *, is_new: bool) -> Refusal | None:
    still_open = select(func.count()).select_from(Invitation).where(Invitation.subscription_id == subscription_id)
    if is_new and connection.execute(still_open.where(*_is_open(now))).scalar_one() >= MAX_OPEN:
        return Refusal.TOO_MANY_OPEN
    # What was sent again counts as well: nobody's mailbox is to be filled from here.
    sent = (AuditEntry.subscription_id == subscription_id, AuditEntry.action == SENT, AuditEntry.at > now - DAY)
    today = select(func.count()).select_from(AuditEntry).where(*sent)
    return Refusal.TOO_MANY_TODAY if connection.execute(today).scalar_one() >= MAX_PER_DAY else None


def _insert(connection: Connection, subscription_id: UUID, email: str, now: datetime) -> Row[Any]:
    values = {"id": uuid7(), "subscription_id": subscription_id, "email": email}
    values |= {"created_at": now, "expires_at": now + TTL}
    return connection.execute(insert(Invitation).values(**values).returning(Invitation.__table__)).one()


def _extend(connection: Connection, invitation_id: UUID, now: datetime) -> Row[Any]:
    prolonged = update(Invitation).where(Invitation.id == invitation_id).values(expires_at=now + TTL)
    return connection.execute(prolonged.returning(Invitation.__table__)).one()


@query
def list_open(session: Session, subscription_id: UUID) -> list[Invitation]:
    """Return the subscription's invitations that can still be accepted, the oldest first."""
    of_it = select(Invitation).where(Invitation.subscription_id == subscription_id)
    return list(session.scalars(of_it.where(*_is_open(datetime.now(UTC))).order_by(Invitation.id)))


@query
def find_open(session: Session, invitation_id: UUID) -> Invitation | None:
    """Return the invitation, if it can still be accepted."""
    found = select(Invitation).where(Invitation.id == invitation_id, *_is_open(datetime.now(UTC)))
    return session.scalar(found)


@query
def find_offered_purchase(session: Session, invitation_id: UUID) -> Resolved | None:
    """Return the purchase that the invitation is for, if it can still be accepted; to look is not to accept."""
    bought = select(Subscription).join(Invitation, Invitation.subscription_id == Subscription.id)
    found = session.scalar(bought.where(Invitation.id == invitation_id, *_is_open(datetime.now(UTC))))
    return resolve.from_subscription(found) if found else None


def accept(invitation_id: UUID, browser_id: bytes) -> Resolved | None:
    """Use up the invitation and return its purchase; None where it was used before, was revoked or has expired.

    Of several who try at once, one gets it. The same browser gets it again for ten minutes: the answer to its first
    press may have been lost on the way.
    """
    purchase = _accept(invitation_id, sha256(browser_id).digest(), datetime.now(UTC))
    if purchase:
        log.info(ACCEPTED, invitation=str(invitation_id), subscription=str(purchase.subscription_id))
    return purchase


@transaction
def _accept(connection: Connection, invitation_id: UUID, browser_digest: bytes, now: datetime) -> Resolved | None:
    again = (Invitation.accepted_by == browser_digest) & (Invitation.accepted_at > now - REACCEPT_WITHIN)
    usable = update(Invitation).where(Invitation.id == invitation_id, or_(and_(*_is_open(now)), again))
    used = usable.values(accepted_at=func.coalesce(Invitation.accepted_at, now), accepted_by=browser_digest)
    row = connection.execute(used.returning(Invitation.subscription_id, Invitation.accepted_at)).one_or_none()
    if row is None:
        return None
    if row.accepted_at == now:
        audit.record(
            connection, [AuditRecord(now, ACCEPTED, actor(invitation_id), subscription_id=row.subscription_id)]
        )
    bought = select(Subscription.__table__).where(Subscription.id == row.subscription_id)
    return resolve.from_subscription(connection.execute(bought).one())


def revoke(invitation_id: UUID, revoker: str, subscription_id: UUID | None = None) -> bool:
    """Take the invitation back, of this subscription where one is given; return whether it was still open."""
    revoked = _revoke(invitation_id, revoker, subscription_id, datetime.now(UTC))
    if revoked:
        log.info(REVOKED, invitation=str(invitation_id))
    return revoked


@transaction
def _revoke(
    connection: Connection, invitation_id: UUID, revoker: str, subscription_id: UUID | None, now: datetime
) -> bool:
    wanted = rows.filter_conditions({Invitation.id: invitation_id, Invitation.subscription_id: subscription_id})
    taken_back = update(Invitation).where(*wanted, *_is_open(now)).values(revoked_at=now)
    of_it = connection.execute(taken_back.returning(Invitation.subscription_id)).scalar_one_or_none()
    if of_it:
        audit.record(connection, [AuditRecord(now, REVOKED, revoker, subscription_id=of_it)])
    return of_it is not None


@transaction
def purge_emails(connection: Connection) -> int:
    """Erase the addresses of invitations that nobody can accept any more; return how many."""
    over = or_(
        Invitation.accepted_at.is_not(None),
        Invitation.revoked_at.is_not(None),
        Invitation.expires_at <= datetime.now(UTC),
    )
    return connection.execute(update(Invitation).where(Invitation.email.is_not(None), over).values(email=None)).rowcount


@query
def newest(
    session: Session, *, limit: int, subscription_id: UUID | None = None, invitation_id: UUID | None = None
) -> list[rows.RowDict]:
    """Return the invitations that match every filter given, newest first, with what has become of each."""
    wanted = rows.filter_conditions({Invitation.subscription_id: subscription_id, Invitation.id: invitation_id})
    shown = [column for column in Invitation.__table__.columns if column.key != "accepted_by"]
    found = select(*shown).where(*wanted).order_by(Invitation.id.desc()).limit(limit)
    now = datetime.now(UTC)
    return [{**row, "state": _state(row, now)} for row in rows.fetch_all(session, found)]


def _state(row: Mapping[str, Any], now: datetime) -> str:
    if row["accepted_at"]:
        return "accepted"
    if row["revoked_at"]:
        return "revoked"
    return "open" if row["expires_at"] > now else "expired"


def _is_open(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None), Invitation.expires_at > now

"""Attaches a registration to its subscription, and decides whose answers stand where there are two."""

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, select, update

from app.database import clock
from app.models import AuditEntry, OutboxMessage, Registration
from app.services.outbox import account_claim
from app.services.outbox.account_claim import Claim
from app.services.outbox.payload import HandoffType
from app.services.signup import erasure
from app.services.signup.registrations import ANSWER_COLUMNS

# The caller gives the new values.
UPDATE_AUDIT = update(AuditEntry).where(
    AuditEntry.registration_id == bindparam("source"), AuditEntry.subscription_id.is_(None)
)
UPDATE_OUTBOX = update(OutboxMessage).where(OutboxMessage.registration_id == bindparam("source"))
UPDATE = update(Registration).where(Registration.id == bindparam("target"))
DELETE = delete(Registration).where(Registration.id == bindparam("source"))


class Claims(NamedTuple):
    """The claims to an account of the two registrations that are joined."""

    source: Claim
    target: Claim


def to_subscription(
    connection: Connection, condition: ColumnElement[bool], subscription_id: UUID, *, claims: Claims | None = None
) -> HandoffType | None:
    """Attach the matching registration to the subscription; return the type of hand-off to announce.

    Where the subscription has a registration already, the account decides whose answers stand:

        one has the stronger claim to an account   that one's
        both wait for their first try              the first registered
        both may have an account                   the subscription's own
        the product refused, or failed to answer   the latest
        no account was ever asked for              the first registered

    The other registration is deleted, and its person removed from the outbox; what waits there to ask for its account
    is cancelled. Two registrations of one address become one with the latest answers. The browser that may enter is
    nevertheless that of the one that stands: anyone can type an address.

    Returns None where no registration matches. `claims` are needed where the matching one has hand-offs, too.
    """
    source = lock_registration(connection, condition)
    if source is None:
        return None
    connection.execute(UPDATE_AUDIT, {"source": source.id, "subscription_id": subscription_id})
    target = lock_registration(connection, Registration.subscription_id == subscription_id)
    if target is None:
        _move(connection, source, subscription_id)
        return HandoffType.REGISTRATION_COMPLETED
    claims = claims or Claims(Claim.NONE, account_claim.of_subscription(connection, subscription_id))
    # Then nobody could have sent other answers without the outage.
    is_closed = claims.target is Claim.WAITING or not account_claim.was_requested(connection, target.id)
    source_stands = _source_stands(source, target, claims, is_closed=is_closed)
    if source.email.lower() == target.email.lower():
        _combine(connection, source, target, source if source_stands else target)
    elif source_stands:
        erasure.remove_superseded(connection, target.id, clock.now())
        _move(connection, source, subscription_id)
    else:
        erasure.remove_superseded(connection, source.id, clock.now())
    return HandoffType.REGISTRATION_UPDATED


def _source_stands(source: Row[Any], target: Row[Any], claims: Claims, *, is_closed: bool) -> bool:
    if claims.source != claims.target:
        return claims.source > claims.target
    if claims.target > Claim.WAITING:
        return False
    is_first: bool = source.created_at < target.created_at
    is_latest: bool = source.updated_at > target.updated_at
    return is_first if is_closed else is_latest


def _move(connection: Connection, source: Row[Any], subscription_id: UUID) -> None:
    connection.execute(UPDATE, {"target": source.id, "subscription_id": subscription_id, "parked_token_id": None})


def _combine(connection: Connection, source: Row[Any], target: Row[Any], owner: Row[Any]) -> None:
    latest = max(source, target, key=lambda registration: registration.updated_at)
    answers = {name: getattr(latest, name) for name in ANSWER_COLUMNS}
    # A browser is known by the version of the answers that it sent.
    version = {"updated_at": owner.updated_at, "sent_by": owner.sent_by}
    connection.execute(UPDATE, {"target": target.id, **answers, **version})
    connection.execute(UPDATE_OUTBOX, {"source": source.id, "registration_id": target.id})
    connection.execute(DELETE, {"source": source.id})


def lock_registration(connection: Connection, condition: ColumnElement[bool]) -> Row[Any] | None:
    """Return the registration that matches, locked until the caller commits; None where none does.

    Without the lock, an erasure meanwhile would miss the copy of its answers.
    """
    return connection.execute(select(Registration.__table__).where(condition).with_for_update()).one_or_none()

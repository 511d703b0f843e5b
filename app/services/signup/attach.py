"""Attaches a registration to its subscription, and decides whose answers stand where there are two."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, select, update

from app.models import AuditEntry, OutboxMessage, Registration
from app.services.outbox import account_reply
from app.services.outbox.payload import HandoffType
from app.services.signup.registrations import ANSWER_COLUMNS

# The caller gives the new values.
UPDATE_AUDIT = update(AuditEntry).where(
    AuditEntry.registration_id == bindparam("source"), AuditEntry.subscription_id.is_(None)
)
UPDATE_OUTBOX = update(OutboxMessage).where(OutboxMessage.registration_id == bindparam("source"))
UPDATE = update(Registration).where(Registration.id == bindparam("target"))
DELETE = delete(Registration).where(Registration.id == bindparam("source"))


def to_subscription(
    connection: Connection, condition: ColumnElement[bool], subscription_id: UUID, *, owns_account: bool = False
) -> HandoffType | None:
    """Attach the matching registration to the subscription; return the type of hand-off to announce.

    Where the subscription has a registration already, one of the two stands:

        the same address                          the latest answers
        two addresses, and the product has made   the account's owner's: the matching one's where `owns_account`,
        an account                                else the subscription's own
        two addresses, no account yet             the latest answers

    Returns None where no registration matches.
    """
    source = lock_registration(connection, condition)
    if source is None:
        return None
    connection.execute(UPDATE_AUDIT, {"source": source.id, "subscription_id": subscription_id})
    target = lock_registration(connection, Registration.subscription_id == subscription_id)
    if target is None:
        connection.execute(UPDATE, {"target": source.id, "subscription_id": subscription_id, "parked_token_id": None})
        return HandoffType.REGISTRATION_COMPLETED
    if _source_stands(connection, source, target, owns_account):
        connection.execute(UPDATE, {"target": target.id} | {name: getattr(source, name) for name in ANSWER_COLUMNS})
    connection.execute(UPDATE_OUTBOX, {"source": source.id, "registration_id": target.id})
    connection.execute(DELETE, {"source": source.id})
    return HandoffType.REGISTRATION_UPDATED


def _source_stands(connection: Connection, source: Row[Any], target: Row[Any], owns_account: bool) -> bool:
    is_latest: bool = source.updated_at > target.updated_at
    account = account_reply.account_of(connection, target.subscription_id)
    if source.email.lower() == target.email.lower() or account is None:
        return is_latest
    owner = source if owns_account else target
    return owns_account if account_reply.exists(connection, account, owner.id) else is_latest


def lock_registration(connection: Connection, condition: ColumnElement[bool]) -> Row[Any] | None:
    """Return the registration that matches, locked until the caller commits; None where none does.

    Without the lock, an erasure meanwhile would miss the copy of its answers.
    """
    return connection.execute(select(Registration.__table__).where(condition).with_for_update()).one_or_none()

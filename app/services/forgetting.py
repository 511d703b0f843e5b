"""Forgetting: takes an erased person out of what was promised about them, and whom they had invited."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select, update

from app.models import Invitation, OutboxMessage, Subscription
from app.services import changes, outbox


def forget(connection: Connection, erased: Mapping[UUID, UUID | None], now: datetime) -> None:
    """Take people out of the outbox and the invitations, within the transaction that erases their registrations.

    `erased` has each registration's subscription. What only told of a registration is not sent any more; what told of
    more is sent without it.
    """
    subscription_ids = sorted(filter(None, erased.values()))
    # Not when a retention that takes long began: who follows the changes has read on since, and would never hear of it.
    noted = update(Subscription).where(Subscription.id.in_(subscription_ids)).values(changed_at=datetime.now(UTC))
    connection.execute(noted)
    invited = update(Invitation).where(Invitation.subscription_id.in_(subscription_ids))
    connection.execute(invited.values(email=None))
    about = select(OutboxMessage.__table__).where(OutboxMessage.registration_id.in_(list(erased)))
    for message in connection.execute(about).all():
        cancelled = _cancelled(message, now)
        values = {"payload": _without_person(message.payload), **cancelled}
        connection.execute(update(OutboxMessage).where(OutboxMessage.id == message.id).values(**values))
        if message.subscription_id:
            outbox.give_turn(connection, message.subscription_id)
        if message.sequence and cancelled:
            # It may have been the one that would have told of another license.
            about_it = update(Subscription).where(Subscription.id == message.subscription_id)
            connection.execute(about_it.values(review_at=now))


def _without_person(payload: dict[str, Any]) -> dict[str, Any]:
    if "data" not in payload:
        return payload
    account = {**payload["data"]["account"], "existing_account": None}
    return {**payload, "data": {**payload["data"], "registration": None, "account": account}}


def _cancelled(message: Row[Any], now: datetime) -> dict[str, Any]:
    # A seller's mail of an activation says who it is; without them there is nothing to say.
    is_about_them = message.lane == outbox.MAIL or message.type in changes.OF_REGISTRATION
    if message.outcome != "waiting" or not is_about_them:
        return {}
    return {"outcome": "cancelled", "settled_at": now, "next_try_at": None}

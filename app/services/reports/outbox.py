"""Reports of the outbox: hand-offs and mails with their outcomes; and sending one again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Uuid, bindparam, exists, func, or_, select, update

from app.config import products
from app.database import clock, rows
from app.database.rows import RowDict
from app.database.transactions import query, transaction
from app.models import Invitation, OutboxMessage, Registration, Subscription, UtcDateTime
from app.services.outbox import announce, queue
from app.services.purchases import subscriptions

COLUMNS = OutboxMessage.__table__.c
SELECTED_COLUMNS = (
    *COLUMNS["id", "created_at", "type", "outcome", "tries", "fault", "next_try_at", "settled_at"],
    *COLUMNS["lane", "sequence", "subscription_id", "registration_id"],
)
IS_MAIL = OutboxMessage.lane == queue.MAIL_LANE
MAIL_COLUMNS = COLUMNS["provider_id", "bounced_at", "bounce"]
HAS_ID = OutboxMessage.id == bindparam("message_id", type_=Uuid)
NEWEST_HANDOFFS_FIRST = select(*SELECTED_COLUMNS).where(~IS_MAIL).order_by(OutboxMessage.id.desc())
NEWEST_MAILS_FIRST = select(*SELECTED_COLUMNS, *MAIL_COLUMNS).where(IS_MAIL).order_by(OutboxMessage.id.desc())
BY_ID = select(*SELECTED_COLUMNS, OutboxMessage.due_since, *MAIL_COLUMNS, OutboxMessage.payload).where(HAS_ID)
OF_CUSTOMER = (
    select(*SELECTED_COLUMNS, *MAIL_COLUMNS)
    .where(
        or_(
            OutboxMessage.subscription_id == bindparam("subscription_id", type_=Uuid),
            OutboxMessage.registration_id == bindparam("registration_id", type_=Uuid),
        )
    )
    .order_by(OutboxMessage.id.desc())
    .limit(bindparam("limit"))
)
FAILED_IDS = (
    select(OutboxMessage.id)
    .where(OutboxMessage.outcome == "failed", OutboxMessage.lane.in_(bindparam("lanes", expanding=True)))
    .order_by(OutboxMessage.id)
)
FAILED_MAIL_IDS = (
    select(OutboxMessage.id)
    .where(
        IS_MAIL, OutboxMessage.outcome == "failed", OutboxMessage.settled_at >= bindparam("since", type_=UtcDateTime)
    )
    .order_by(OutboxMessage.id)
)
SUBSCRIPTION_ID = select(OutboxMessage.subscription_id).where(HAS_ID)
# As where an erasure cancels waiting messages: one about a person who was erased has nothing left to say.
IS_PERSON_ERASED = (
    (IS_MAIL | OutboxMessage.type.in_(announce.REGISTRATION_TYPES))
    & OutboxMessage.registration_id.is_not(None)
    & ~exists().where(Registration.id == OutboxMessage.registration_id)
)
RESEND = (
    update(OutboxMessage)
    .where(HAS_ID, ~IS_PERSON_ERASED)
    .where(OutboxMessage.outcome.in_(["failed", "delivered"]) | OutboxMessage.next_try_at.is_not(None))
    .values(
        outcome="waiting",
        settled_at=None,
        tries=0,
        # The earlier attempt's mail id and bounce say nothing about the new one.
        provider_id=None,
        bounced_at=None,
        bounce=None,
        due_since=bindparam("now", type_=UtcDateTime),
        next_try_at=bindparam("now", type_=UtcDateTime),
    )
    .returning(OutboxMessage.subscription_id)
)


@query
def handoffs(
    connection: Connection,
    *,
    limit: int,
    outcome: str | None = None,
    product_code: str | None = None,
    subscription_id: UUID | None = None,
    since: datetime | None = None,
) -> list[RowDict]:
    """Return the hand-offs that match all given filters, newest first, without their payloads."""
    filters = {
        OutboxMessage.outcome: outcome,
        OutboxMessage.subscription_id: subscription_id,
        OutboxMessage.lane: queue.handoff_lane(product_code) if product_code else None,
    }
    conditions = [*rows.filter_conditions(filters), *rows.since_condition(OutboxMessage.created_at, since)]
    return rows.fetch_all(connection, NEWEST_HANDOFFS_FIRST.where(*conditions).limit(limit))


@dataclass(frozen=True)
class MailFilters:
    """Which mails to return: those that match every filter given.

    `email` selects the mails to this address, in upper or lower case: of the buyer as registered now, of a colleague
    whose invitation is open, or of the seller as the settings have it now. `bounced` selects those that came back.
    """

    outcome: str | None = None
    subscription_id: UUID | None = None
    email: str | None = None
    since: datetime | None = None
    bounced: bool = False


@query
def mails(connection: Connection, filters: MailFilters, *, limit: int) -> list[RowDict]:
    """Return the mails that match the filters, newest first."""
    conditions = rows.filter_conditions(
        {OutboxMessage.outcome: filters.outcome, OutboxMessage.subscription_id: filters.subscription_id}
    )
    conditions += rows.since_condition(OutboxMessage.created_at, filters.since)
    if filters.bounced:
        conditions.append(OutboxMessage.bounced_at.is_not(None))
    if filters.email is not None:
        conditions.append(_is_to(connection, filters.email.strip().lower()))
    return rows.fetch_all(connection, NEWEST_MAILS_FIRST.where(*conditions).limit(limit))


@query
def of_customer(
    connection: Connection, subscription_id: UUID | None, registration_id: UUID | None, *, limit: int
) -> list[RowDict]:
    """Return the newest hand-offs and mails of a purchase or a registration, the oldest of them first."""
    ids = {"subscription_id": subscription_id, "registration_id": registration_id, "limit": limit}
    return rows.fetch_all(connection, OF_CUSTOMER, ids)[::-1]


def _is_to(connection: Connection, address: str) -> ColumnElement[bool]:
    is_to_seller = OutboxMessage.type.startswith("seller_")
    to_buyer = ~is_to_seller & OutboxMessage.registration_id.in_(
        select(Registration.id).where(func.lower(Registration.email) == address)
    )
    invitation_ids = connection.scalars(select(Invitation.id).where(func.lower(Invitation.email) == address))
    to_colleague = OutboxMessage.payload["invitation"].as_string().in_([str(id_) for id_ in invitation_ids])
    codes = [
        product.code
        for product in products.current().values()
        if (product.notify_email or product.support_email).lower() == address
    ]
    to_seller = is_to_seller & OutboxMessage.subscription_id.in_(
        select(Subscription.id).where(Subscription.product_code.in_(codes))
    )
    return or_(to_buyer, to_colleague, to_seller)


@query
def find(connection: Connection, message_id: UUID, *, is_mail: bool) -> RowDict | None:
    """Return one hand-off or mail with every column, the payload included."""
    statement = BY_ID.where(IS_MAIL if is_mail else ~IS_MAIL)
    return next(iter(rows.fetch_all(connection, statement, {"message_id": message_id})), None)


@query
def failed_handoff_ids(connection: Connection, product_codes: Iterable[str]) -> Sequence[UUID]:
    """Return the ids of these products' failed hand-offs, oldest first."""
    return connection.scalars(FAILED_IDS, {"lanes": [queue.handoff_lane(code) for code in product_codes]}).all()


@query
def failed_mail_ids(connection: Connection, since: datetime) -> Sequence[UUID]:
    """Return the ids of the mails that were given up since then, oldest first."""
    return connection.scalars(FAILED_MAIL_IDS, {"since": since}).all()


@transaction
def resend(connection: Connection, message_id: UUID) -> bool:
    """Send a settled hand-off or mail once more, before later ones of its subscription that still wait.

    A message that waits for its next try is sent now. Returns False if there is none with the id, if it waits behind
    another, was cancelled, or is about a person who was erased since.
    """
    # Lock the subscription first, as every writer of its hand-offs does; otherwise two workers deadlock.
    if subscription_id := connection.execute(SUBSCRIPTION_ID, {"message_id": message_id}).scalar_one_or_none():
        subscriptions.lock(connection, subscription_id)
    message = connection.execute(RESEND, {"message_id": message_id, "now": clock.now()}).one_or_none()
    if message and message.subscription_id:
        # A merge may have moved the message to another subscription before the lock was granted.
        subscriptions.lock(connection, message.subscription_id)
        queue.reorder(connection, message.subscription_id)
    return message is not None

"""Finds a customer by whatever is known of them, and reads everything that is stored about one.

A customer is one purchase with its registration or, until AWS has resolved the buyer's token, that pending token with
its registration. Ids are looked up by their indexes. A search for what people typed reads whole tables.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Connection, Select, Uuid, bindparam, or_, select

from app.database import rows
from app.database.rows import RowDict
from app.database.transactions import query
from app.models import (
    Account,
    AuditEntry,
    Event,
    Invitation,
    OutboxMessage,
    PendingToken,
    Registration,
    Subscription,
    UtcDateTime,
)
from app.models.purchases import HAS_FORMER_ID
from app.observability import references
from app.services.purchases import drafts, people
from app.services.reports import events, ids, outbox, registrations, subscriptions
from app.services.signup import invitations
from app.services.usage_reports import hours

# A shorter text is more likely a name, such as Ada or Dee.
MIN_ID_LENGTH = 8
# So many hand-offs and mails, and problems of usage, of one customer are shown.
MAX_MESSAGES = 500
SHOWN_COLUMNS = ("company", "full_name", "email", "product_code", "customer_aws_account_id", "agreement_id", "status")
IdColumn = Column[UUID] | Column[UUID | None]
LIMIT: Any = bindparam("limit")


def _select_ids(**ids_by_kind: IdColumn) -> Select[Any]:
    """Return the search for ids of subscriptions, registrations and pending tokens, each in a column of that name."""
    return select(*(column.label(kind) for kind, column in ids_by_kind.items())).limit(LIMIT)


def _in_range(column: IdColumn) -> ColumnElement[bool]:
    return column.between(bindparam("first", type_=Uuid), bindparam("last", type_=Uuid))


ID_SEARCHES = (
    _select_ids(subscription=Subscription.id).where(_in_range(Subscription.id)),
    _select_ids(subscription=Registration.subscription_id, registration=Registration.id).where(
        _in_range(Registration.id)
    ),
    # Of registrations that were erased, or merged into another.
    _select_ids(subscription=AuditEntry.subscription_id).where(_in_range(AuditEntry.registration_id)),
    _select_ids(subscription=OutboxMessage.subscription_id, registration=OutboxMessage.registration_id).where(
        _in_range(OutboxMessage.id)
    ),
    _select_ids(subscription=Event.subscription_id).where(_in_range(Event.id)),
    _select_ids(subscription=Invitation.subscription_id).where(_in_range(Invitation.id)),
    _select_ids(subscription=PendingToken.subscription_id, token=PendingToken.id).where(_in_range(PendingToken.id)),
)
FIRST, LAST = bindparam("first", type_=UtcDateTime), bindparam("last", type_=UtcDateTime)
LANDED_AT, REGISTERED_AT, STORED_AT = Subscription.last_seen_at, Registration.updated_at, PendingToken.parked_at
# No index has these times: each search reads a table.
TIME_SEARCHES = (
    _select_ids(subscription=Subscription.id).where(LANDED_AT.between(FIRST, LAST)).order_by(LANDED_AT.desc()),
    _select_ids(subscription=Registration.subscription_id, registration=Registration.id)
    .where(REGISTERED_AT.between(FIRST, LAST))
    .order_by(REGISTERED_AT.desc()),
    _select_ids(subscription=PendingToken.subscription_id, token=PendingToken.id)
    .where(STORED_AT.between(FIRST, LAST))
    .order_by(STORED_AT.desc()),
)
BY_FORMER_ID = select(Subscription.id).where(HAS_FORMER_ID)
BY_ACCOUNT_REFERENCE = select(Account.subscription_id).where(Account.reference == bindparam("reference"))
TOKENS = select(
    *PendingToken.__table__.c["id", "parked_at", "next_try_at", "tries", "fault", "settled_at", "subscription_id"]
).where(
    or_(
        PendingToken.id.in_(bindparam("ids", type_=Uuid, expanding=True)),
        PendingToken.subscription_id == bindparam("subscription_id", type_=Uuid),
    )
)
REGISTRATION_IDS_OF_TOKENS = select(Registration.id).where(
    Registration.parked_token_id.in_(bindparam("ids", type_=Uuid, expanding=True))
)
AUDIT_OF_CUSTOMER = (
    select(*AuditEntry.__table__.c["at", "action", "actor", "registration_id"])
    .where(
        or_(
            AuditEntry.subscription_id == bindparam("subscription_id", type_=Uuid),
            AuditEntry.registration_id == bindparam("registration_id", type_=Uuid),
        )
    )
    .order_by(AuditEntry.id)
)


@dataclass(frozen=True)
class Keys:
    """Ids of customers: of subscriptions, of registrations, which may have none, and of pending tokens."""

    subscriptions: set[UUID]
    registrations: set[UUID]
    tokens: set[UUID]

    def __bool__(self) -> bool:
        return bool(self.subscriptions or self.registrations or self.tokens)


@dataclass(frozen=True)
class CustomerFile:
    """Everything that is stored about one customer; `purchase` and `registration` are the reports' rows, or None.

    `unapplied` are events that may be about the purchase and could not be applied, `usage` is what AWS does not bill.
    """

    purchase: RowDict | None
    registration: RowDict | None
    tokens: list[RowDict]
    events: list[RowDict]
    unapplied: list[RowDict]
    handoffs: list[RowDict]
    mails: list[RowDict]
    invitations: list[RowDict]
    audit: list[RowDict]
    drafts: list[RowDict]
    usage: list[RowDict]


def find(who: str, *, limit: int) -> list[RowDict]:
    """Return the customers that match, newest first, at most `limit`; of its three ids, each has at least one.

    `who` is, of the first kind that matches: an id from AWS, now or before a renewal; an id of ours of anything that
    belongs to a customer, or its beginning; the account's reference in the product; or a part of what a person typed.
    """
    who = who.strip()
    if found := subscriptions.find_by_any_id(who):
        return [_row(subscription, subscription_id=subscription["id"]) for subscription in found[:limit]]
    keys = _find_by_id(who.removeprefix("msg_"), limit)
    if not keys:
        keys = Keys(_find_by_account_reference(who), set(), set())
    if not keys and len(who) > 1 and not references.is_reference(who.lower()):
        traces = people.find(who)
        keys = Keys(set(traces.subscription_ids), set(traces.registration_ids), set())
    return _rows(keys)[:limit]


def find_around(moment: datetime, distance: timedelta, *, limit: int) -> list[RowDict]:
    """Return the customers who landed, or registered, within this distance of the moment, newest first."""
    return _rows(_find_by_time({"first": moment - distance, "last": moment + distance, "limit": limit}))[:limit]


def load(customer: Mapping[str, Any]) -> CustomerFile:
    """Return everything about one of the customers that `find` returned."""
    subscription_id, registration_id = customer["subscription_id"], customer["registration_id"]
    token_id = customer["pending_token_id"]
    purchase = next(iter(subscriptions.find_by_ids([subscription_id])), None) if subscription_id else None
    registration = registrations.find(registration_id) if registration_id and purchase is None else None
    messages = outbox.of_customer(subscription_id, registration_id, limit=MAX_MESSAGES)
    return CustomerFile(
        purchase=purchase,
        registration=registration,
        tokens=_tokens([token_id] if token_id else [], subscription_id),
        events=events.list_by_subscription(subscription_id) if purchase else [],
        unapplied=events.list_unapplied(purchase) if purchase else [],
        handoffs=[message for message in messages if message["sequence"] is not None],
        mails=[message for message in messages if message["sequence"] is None],
        invitations=invitations.newest(subscription_id=subscription_id, limit=MAX_MESSAGES)[::-1] if purchase else [],
        audit=_audit(subscription_id, registration_id),
        drafts=drafts.of_purchase(subscription_id, token_id),
        usage=hours.problems_of_subscription(subscription_id, limit=MAX_MESSAGES) if purchase else [],
    )


@query
def _find_by_time(connection: Connection, period: Mapping[str, Any]) -> Keys:
    return _collect(connection, TIME_SEARCHES, period)


@query
def _find_by_account_reference(connection: Connection, reference: str) -> set[UUID]:
    return set(connection.scalars(BY_ACCOUNT_REFERENCE, {"reference": reference}))


@query
def _find_by_id(connection: Connection, who: str, limit: int) -> Keys:
    bounds = ids.bounds(who)
    if bounds is None or len(who) < MIN_ID_LENGTH:
        return Keys(set(), set(), set())
    keys = _collect(connection, ID_SEARCHES, {**bounds, "limit": limit})
    if former_id := rows.parse_uuid(who):
        keys.subscriptions.update(connection.scalars(BY_FORMER_ID, {"former_id": str(former_id)}))
    return keys


def _collect(connection: Connection, searches: Iterable[Select[Any]], parameters: Mapping[str, Any]) -> Keys:
    keys = Keys(set(), set(), set())
    for search in searches:
        for found in connection.execute(search, parameters).mappings():
            # A registration and a token of a known purchase add nothing to it.
            if id_ := found.get("subscription"):
                keys.subscriptions.add(id_)
            elif id_ := found.get("registration"):
                keys.registrations.add(id_)
            elif id_ := found.get("token"):
                keys.tokens.add(id_)
    keys.registrations.update(connection.scalars(REGISTRATION_IDS_OF_TOKENS, {"ids": list(keys.tokens)}))
    return keys


def _rows(keys: Keys) -> list[RowDict]:
    purchases = [_row(row, subscription_id=row["id"]) for row in subscriptions.find_by_ids(keys.subscriptions)]
    waiting = [
        _row(row, registration_id=row["id"], pending_token_id=row["parked_token_id"], status="no purchase")
        for row in registrations.find_by_ids(keys.registrations)
        if row["subscription_id"] is None
    ]
    registered = {row["pending_token_id"] for row in waiting}
    tokens = [
        _row(row, pending_token_id=row["id"], created_at=row["parked_at"], status="no purchase")
        for row in _tokens(keys.tokens - registered)
    ]
    return sorted((*purchases, *waiting, *tokens), key=lambda row: row["created_at"], reverse=True)


def _row(row: Mapping[str, Any], **values: object) -> RowDict:
    names = dict.fromkeys(("subscription_id", "registration_id", "pending_token_id"))
    shown = {name: row.get(name) for name in ("created_at", *SHOWN_COLUMNS)}
    return {**names, **shown, **values}


@query
def _tokens(connection: Connection, token_ids: Iterable[UUID], subscription_id: UUID | None = None) -> list[RowDict]:
    return rows.fetch_all(connection, TOKENS, {"ids": list(token_ids), "subscription_id": subscription_id})


@query
def _audit(connection: Connection, subscription_id: UUID | None, registration_id: UUID | None) -> list[RowDict]:
    of_customer = {"subscription_id": subscription_id, "registration_id": registration_id}
    return rows.fetch_all(connection, AUDIT_OF_CUSTOMER, of_customer)

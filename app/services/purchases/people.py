"""Where a person's words are stored, found by a part of them: registrations, invitations, drafts and hand-offs.

A hand-off keeps the answers that it told of, also after somebody else's answers replaced them in the registration.
Databases cannot find a part of a text by an index: each search reads whole tables, and decrypts every draft. Rows are
put in order by a time, which has no index: by the id, PostgreSQL would read the table through its index, on one core.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Text, cast, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from app.database.rows import RowDict
from app.database.transactions import query, wait_for_operator
from app.models import Invitation, OutboxMessage, Registration
from app.services.purchases import drafts

TextColumn = InstrumentedAttribute[str] | InstrumentedAttribute[str | None]
NAME_COLUMNS: tuple[TextColumn, ...] = (Registration.company, Registration.full_name, Registration.email)
ANSWER_COLUMNS: tuple[TextColumn, ...] = (
    *NAME_COLUMNS,
    *(Registration.phone, Registration.notes, Registration.existing_account),
)
ANSWER_NAMES = tuple(column.key for column in ANSWER_COLUMNS)
# The newest. Of a text that more people have in common, an operator has to give more.
MAX_ROWS = 200


@dataclass(frozen=True)
class Traces:
    """The rows with the text: registrations and subscriptions by id, and drafts, which do not say their purchase."""

    registration_ids: frozenset[UUID]
    subscription_ids: frozenset[UUID]
    drafts: list[RowDict]


def contains(text: str, *columns: TextColumn) -> ColumnElement[bool]:
    """Return the condition that one of the columns has the text, in upper or lower case."""
    return or_(*(column.icontains(spelling, autoescape=True) for column in columns for spelling in _spellings(text)))


def find(text: str) -> Traces:
    """Return everything in which a person's answers or address contain the text, in upper or lower case."""
    registration_ids, subscription_ids = _find_stored(text)
    return Traces(frozenset(registration_ids), frozenset(subscription_ids | _find_in_handoffs(text)), find_drafts(text))


def find_drafts(text: str) -> list[RowDict]:
    """Return the drafts in which an answer contains the text, newest first."""
    return [draft for draft in drafts.newest() if _has_text(draft["answers"], text.casefold())]


@query
def _find_stored(connection: Connection, text: str) -> tuple[set[UUID], set[UUID]]:
    wait_for_operator(connection)
    registrations = connection.execute(
        select(Registration.id, Registration.subscription_id)
        .where(contains(text, *ANSWER_COLUMNS))
        .order_by(Registration.created_at.desc())
        .limit(MAX_ROWS)
    ).all()
    invitations = connection.scalars(
        select(Invitation.subscription_id)
        .where(contains(text, Invitation.email))
        .order_by(Invitation.id.desc())
        .limit(MAX_ROWS)
    )
    subscription_ids = {row.subscription_id for row in registrations if row.subscription_id}
    return {row.id for row in registrations}, subscription_ids | {*invitations}


@query
def _find_in_handoffs(connection: Connection, text: str) -> set[UUID]:
    wait_for_operator(connection)
    # As JSON spells it. What the payload has elsewhere than in the answers is sorted out below.
    spellings = {json.dumps(spelling)[1:-1] for spelling in _spellings(text)}
    handoffs = connection.execute(
        select(OutboxMessage.subscription_id, OutboxMessage.payload)
        .where(OutboxMessage.subscription_id.is_not(None), OutboxMessage.sequence.is_not(None))
        .where(or_(*(_payload_has(spelling, connection.dialect.name) for spelling in spellings)))
        .order_by(OutboxMessage.created_at.desc())
        .limit(MAX_ROWS)
    )
    return {
        row.subscription_id
        for row in handoffs
        if _has_text(row.payload.get("data", {}).get("registration") or {}, text.casefold())
    }


def _payload_has(spelling: str, dialect: str) -> ColumnElement[bool]:
    """Return the condition that a payload has the text, in upper or lower case; both are ASCII, and long to read."""
    payload = cast(OutboxMessage.payload, Text)
    if dialect == "sqlite":
        return payload.contains(spelling, autoescape=True)  # its LIKE takes no notice of the case
    return func.strpos(func.lower(payload.collate("C")), spelling.lower()) > 0


def _has_text(answers: Mapping[str, Any], wanted: str) -> bool:
    return any(wanted in (answers.get(name) or "").casefold() for name in ANSWER_NAMES)


def _spellings(text: str) -> set[str]:
    # SQLite takes only ASCII letters in upper and lower case for the same.
    return {text} if text.isascii() else {text, text.lower(), text.upper(), text.title()}

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

from sqlalchemy import Column, ColumnElement, Connection, Row, Text, cast, func, or_, select

from app.config.questions import FIELD_NAME
from app.database.rows import RowDict
from app.database.transactions import query, wait_for_operator
from app.models import Invitation, OutboxMessage, Registration
from app.services.purchases import drafts

TextColumn = Column[str] | Column[str | None]
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
    registrations: list[Row[Any]] = [
        *connection.execute(
            select(Registration.id, Registration.subscription_id)
            .where(contains(text, *ANSWER_COLUMNS))
            .order_by(Registration.created_at.desc())
            .limit(MAX_ROWS)
        )
    ]
    registrations += _find_in_answers(connection, text)
    invitations = connection.scalars(
        select(Invitation.subscription_id)
        .where(contains(text, Invitation.email))
        .order_by(Invitation.id.desc())
        .limit(MAX_ROWS)
    )
    subscription_ids = {row.subscription_id for row in registrations if row.subscription_id}
    return {row.id for row in registrations}, subscription_ids | {*invitations}


def _find_in_answers(connection: Connection, text: str) -> list[Row[Any]]:
    """Return the registrations with the text in an answer to a question of the product's own."""
    rows = connection.execute(
        select(Registration.id, Registration.subscription_id, Registration.answers)
        .where(_json_has(Registration.answers, text, connection.dialect.name))
        .order_by(Registration.created_at.desc())
        .limit(MAX_ROWS)
    )
    # The questions have the text as well, of everybody who was asked.
    return [row for row in rows if _has_text({"answers": row.answers}, text.casefold())]


@query
def _find_in_handoffs(connection: Connection, text: str) -> set[UUID]:
    wait_for_operator(connection)
    handoffs = connection.execute(
        select(OutboxMessage.subscription_id, OutboxMessage.payload)
        .where(OutboxMessage.subscription_id.is_not(None), OutboxMessage.sequence.is_not(None))
        .where(_json_has(OutboxMessage.payload, text, connection.dialect.name))
        .order_by(OutboxMessage.created_at.desc())
        .limit(MAX_ROWS)
    )
    return {
        row.subscription_id
        for row in handoffs
        # What the payload has elsewhere than in the answers does not count.
        if _has_text(row.payload.get("data", {}).get("registration") or {}, text.casefold())
    }


def _json_has(column: Column[Any], text: str, dialect: str) -> ColumnElement[bool]:
    """Return the condition that the JSON has the text, in upper or lower case."""
    as_text = cast(column, Text)
    # As JSON spells it: both are ASCII.
    spellings = {json.dumps(spelling)[1:-1] for spelling in _spellings(text)}
    if dialect == "sqlite":
        # Its LIKE takes no notice of the case.
        return or_(*(as_text.contains(spelling, autoescape=True) for spelling in spellings))
    lowered = func.lower(as_text.collate("C"))
    return or_(*(func.strpos(lowered, spelling.lower()) > 0 for spelling in spellings))


def _has_text(answers: Mapping[str, Any], wanted: str) -> bool:
    typed = [value for name, value in answers.items() if name in ANSWER_NAMES or FIELD_NAME.fullmatch(name)]
    typed += [answer["text"] for answer in answers.get("answers") or []]
    return any(wanted in (value or "").casefold() for value in typed)


def _spellings(text: str) -> set[str]:
    # SQLite takes only ASCII letters in upper and lower case for the same.
    return {text} if text.isascii() else {text, text.lower(), text.upper(), text.title()}

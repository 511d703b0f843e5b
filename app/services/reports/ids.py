"""Looks ids up by their beginnings, as operators type them: each search reads one range of an index."""

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Column, CompoundSelect, Connection, Select, Uuid, bindparam, select, union

from app.database.transactions import query
from app.models import (
    ApiToken,
    AuditEntry,
    Event,
    Invitation,
    OutboxMessage,
    Registration,
    StoredDraft,
    Subscription,
)
from app.services.outbox.queue import MAIL_LANE

# So many are listed where a beginning is ambiguous.
MAX_CANDIDATES = 5
HEXADECIMAL = re.compile("[0-9a-f]{1,32}", re.ASCII)
IdSearch = Select[Any] | CompoundSelect[Any]


def _in_range(column: Column[UUID] | Column[UUID | None]) -> Select[Any]:
    return select(column).where(column >= bindparam("first", type_=Uuid), column <= bindparam("last", type_=Uuid))


API_TOKENS: IdSearch = _in_range(ApiToken.id)
DRAFTS: IdSearch = _in_range(StoredDraft.id)
EVENTS: IdSearch = _in_range(Event.id)
HANDOFFS: IdSearch = _in_range(OutboxMessage.id).where(OutboxMessage.lane != MAIL_LANE)
INVITATIONS: IdSearch = _in_range(Invitation.id)
MAILS: IdSearch = _in_range(OutboxMessage.id).where(OutboxMessage.lane == MAIL_LANE)
# An id that was erased or merged still says what became of it.
REGISTRATIONS: IdSearch = union(_in_range(Registration.id), _in_range(AuditEntry.registration_id))
SUBSCRIPTIONS: IdSearch = _in_range(Subscription.id)


def is_beginning(text: str) -> bool:
    """Return whether an id can begin with this text; its hyphens are optional."""
    return HEXADECIMAL.fullmatch(_digits(text)) is not None


@query
def find(connection: Connection, search: IdSearch, beginning: str) -> Sequence[UUID]:
    """Return the ids that begin with this text, in order: at most MAX_CANDIDATES + 1 of them."""
    limits = bounds(beginning)
    return connection.scalars(search.order_by("id").limit(MAX_CANDIDATES + 1), limits).all() if limits else []


def bounds(beginning: str) -> dict[str, UUID] | None:
    """Return the `first` and the `last` id that begin with this text; None where no id can."""
    digits = _digits(beginning)
    if not HEXADECIMAL.fullmatch(digits):
        return None
    return {"first": UUID(f"{digits:0<32}"), "last": UUID(f"{digits:f<32}")}


def _digits(text: str) -> str:
    return text.strip().lower().replace("-", "")

"""The audit log: who did what to a purchase or to a person's data. It outlives the data itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert

from app.models import AuditEntry

BUYER_ACTOR = "buyer"
REGISTRATION_ERASED = "registration.erased"
INSERT_ENTRY = insert(AuditEntry)


@dataclass(frozen=True)
class AuditRecord:
    """One action, as noun.verb like the log events, who did it, and what it was done to."""

    at: datetime
    action: str
    actor: str
    registration_id: UUID | None = None
    subscription_id: UUID | None = None


def record(connection: Connection, records: Iterable[AuditRecord]) -> None:
    """Store the records in the caller's transaction: an action and its record are committed together."""
    if entries := [dict(vars(entry)) for entry in records]:
        connection.execute(INSERT_ENTRY, entries)

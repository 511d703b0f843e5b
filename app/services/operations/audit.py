"""The audit: who did what about a purchase or to a person's data, kept after the data itself is gone."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert
from uuid_utils.compat import uuid7

from app.models import AuditEntry

BUYER_ACTOR = "buyer"
REGISTRATION_ERASED = "registration.erased"


@dataclass(frozen=True)
class AuditRecord:
    """One thing done: noun.verb as in the logs, by whom, and what it was about."""

    at: datetime
    action: str
    actor: str
    registration_id: UUID | None = None
    subscription_id: UUID | None = None


def record(connection: Connection, records: Iterable[AuditRecord]) -> None:
    """Record what was done, within the transaction that does it."""
    if entries := [{"id": uuid7(), **asdict(deed)} for deed in records]:
        connection.execute(insert(AuditEntry), entries)

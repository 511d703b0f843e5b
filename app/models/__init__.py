"""The database tables, as SQLAlchemy models."""

from app.models.base import Base, UtcDateTime
from app.models.outbox import OUTBOX_OUTCOMES, OutboxMessage
from app.models.people import REFUSAL_REASONS, Account, Invitation, PendingToken, Registration
from app.models.purchases import (
    EVENT_OUTCOMES,
    IS_MERGED_SQL,
    SUBSCRIPTION_STATUSES,
    AgreementLock,
    EarlierKey,
    Event,
    Subscription,
)
from app.models.records import ApiToken, AuditEntry, Heartbeat

__all__ = [
    "EVENT_OUTCOMES",
    "IS_MERGED_SQL",
    "OUTBOX_OUTCOMES",
    "REFUSAL_REASONS",
    "SUBSCRIPTION_STATUSES",
    "Account",
    "AgreementLock",
    "ApiToken",
    "AuditEntry",
    "Base",
    "EarlierKey",
    "Event",
    "Heartbeat",
    "Invitation",
    "OutboxMessage",
    "PendingToken",
    "Registration",
    "Subscription",
    "UtcDateTime",
]

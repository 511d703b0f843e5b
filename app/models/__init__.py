"""The tables."""

from app.models.base import Base, Instant
from app.models.outbox import SENT, OutboxMessage
from app.models.people import REFUSALS, Account, Invitation, ParkedToken, Registration
from app.models.purchases import CHANNELS, MERGED, OUTCOMES, STATUSES, Agreement, EarlierKey, Event, Subscription
from app.models.records import ApiToken, AuditEntry, Heartbeat

__all__ = [
    "CHANNELS",
    "MERGED",
    "OUTCOMES",
    "REFUSALS",
    "SENT",
    "STATUSES",
    "Account",
    "Agreement",
    "ApiToken",
    "AuditEntry",
    "Base",
    "EarlierKey",
    "Event",
    "Heartbeat",
    "Instant",
    "Invitation",
    "OutboxMessage",
    "ParkedToken",
    "Registration",
    "Subscription",
]

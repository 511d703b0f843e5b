"""The database tables."""

from app.models.base import METADATA, Model, UtcDateTime
from app.models.outbox import OutboxMessage
from app.models.people import Account, Invitation, PendingToken, Registration, StoredDraft
from app.models.purchases import AgreementLock, EarlierKey, Event, Feed, Subscription
from app.models.records import ApiToken, AuditEntry, Heartbeat
from app.models.usage import UsageAllowance, UsageAttempt, UsageHour, UsageItem, UsageMail, UsageRemainder

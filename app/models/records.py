"""Operations: API tokens, the audit log, and the heartbeats of the workers."""

from sqlalchemy import JSON, Column, ForeignKey, LargeBinary, String, Uuid
from uuid_utils.compat import uuid7

from app.models.base import Model, UtcDateTime


class ApiToken(Model):
    """A bearer token of the API. Only its hash is stored, which gives no access."""

    __tablename__ = "api_tokens"

    id = Column(Uuid, primary_key=True, default=uuid7)
    name = Column(String(100), nullable=False, comment="What the operator calls it")
    digest = Column(LargeBinary, nullable=False, unique=True, comment="SHA-256 of the token")
    product_codes = Column(JSON(none_as_null=True), comment="What it may read; None: every product")
    scopes = Column(JSON(none_as_null=True), comment="None: read")
    created_at = Column(UtcDateTime, nullable=False)
    revoked_at = Column(UtcDateTime)


class AuditEntry(Model):
    """One action on personal data. The entry stays after the data is erased."""

    __tablename__ = "audit_entries"

    id = Column(Uuid, primary_key=True, default=uuid7)
    at = Column(UtcDateTime, nullable=False)
    action = Column(String(64), nullable=False, comment="noun.verb, as in the logs")
    actor = Column(String(200), nullable=False, comment="Who did it: a person at the command, or the retention")
    registration_id = Column(Uuid, index=True, comment="No foreign key: the registration may be gone")
    subscription_id = Column(Uuid, ForeignKey("subscriptions.id"), index=True)


class Heartbeat(Model):
    """The time at which a worker last completed a chore."""

    __tablename__ = "heartbeats"

    chore = Column(String(16), primary_key=True)
    at = Column(UtcDateTime, nullable=False)

"""Operations: API tokens, the audit log, and the heartbeats of the workers."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from app.models.base import Base


class ApiToken(Base):
    """A bearer token of the API. Only its hash is stored, which gives no access."""

    __tablename__ = "api_tokens"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    name: Mapped[str] = mapped_column(String(100), comment="What the operator calls it")
    digest: Mapped[bytes] = mapped_column(unique=True, comment="SHA-256 of the token")
    product_codes: Mapped[list[str] | None] = mapped_column(comment="What it may read; None: every product")
    scopes: Mapped[list[str] | None] = mapped_column(comment="None: read")
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class AuditEntry(Base):
    """One action on personal data. The entry stays after the data is erased."""

    __tablename__ = "audit_entries"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    at: Mapped[datetime]
    action: Mapped[str] = mapped_column(String(64), comment="noun.verb, as in the logs")
    actor: Mapped[str] = mapped_column(String(200), comment="Who did it: a person at the command, or the retention")
    registration_id: Mapped[UUID | None] = mapped_column(
        index=True, comment="No foreign key: the registration may be gone"
    )
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscriptions.id"), index=True)


class Heartbeat(Base):
    """The time at which a worker last completed a chore."""

    __tablename__ = "heartbeats"

    chore: Mapped[str] = mapped_column(String(16), primary_key=True)
    at: Mapped[datetime]

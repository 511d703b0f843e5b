"""What the operator needs: who may read, who did what, and whether the workers are alive."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from app.models.base import Base


class ApiToken(Base):
    """A bearer token of the read API; what is stored does not let anybody in."""

    __tablename__ = "api_tokens"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    name: Mapped[str] = mapped_column(String(100), comment="What the operator calls it")
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True, comment="SHA-256 of the token")
    product_codes: Mapped[list[str] | None] = mapped_column(
        JSON(none_as_null=True), comment="What it may read; None: every product"
    )
    created_at: Mapped[datetime] = mapped_column()
    revoked_at: Mapped[datetime | None] = mapped_column()


class AuditEntry(Base):
    """One thing done to somebody's personal data, kept after the data itself is gone."""

    __tablename__ = "audit_entries"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    at: Mapped[datetime] = mapped_column()
    action: Mapped[str] = mapped_column(String(64), comment="noun.verb, as in the logs")
    actor: Mapped[str] = mapped_column(String(200), comment="Who did it: a person at the command, or the retention")
    registration_id: Mapped[UUID | None] = mapped_column(
        index=True, comment="No foreign key: the registration may be gone"
    )
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscriptions.id"), index=True)


class Heartbeat(Base):
    """When some worker last did one of its chores to the end."""

    __tablename__ = "heartbeats"

    chore: Mapped[str] = mapped_column(String(16), primary_key=True)
    at: Mapped[datetime] = mapped_column()

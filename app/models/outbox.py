"""The outbox: hand-offs to products and mails to people, written in the transaction that causes them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from app.models.base import Base

# The outcome of a hand-off or a mail. "cancelled": it is no longer needed, for example after an erasure.
OUTBOX_OUTCOMES = ("waiting", "delivered", "failed", "cancelled")


class OutboxMessage(Base):
    """A hand-off or a mail. The row stays after it was delivered."""

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint(f"outcome IN {OUTBOX_OUTCOMES}", name="outcome"),
        CheckConstraint("(outcome = 'waiting') = (settled_at IS NULL)", name="settled"),
        UniqueConstraint("subscription_id", "sequence"),
        Index(None, "lane", "next_try_at"),
        Index(None, "outcome", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    lane: Mapped[str] = mapped_column(
        String(264), comment="mail, or handoff/ and the product code; one never waits for another"
    )
    type: Mapped[str] = mapped_column(String(64), comment="The event's type, or the letter's name")
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscriptions.id"))
    registration_id: Mapped[UUID | None] = mapped_column(index=True, comment="No foreign key: it may be erased")
    sequence: Mapped[int | None] = mapped_column(
        comment="Its place among the subscription's hand-offs; a mail has none, and waits for no other"
    )
    payload: Mapped[dict[str, Any]] = mapped_column(comment="What is told; of a mail, what it is about")
    created_at: Mapped[datetime]
    next_try_at: Mapped[datetime | None] = mapped_column(comment="None: settled, or one before it is not yet")
    due_since: Mapped[datetime | None] = mapped_column(comment="When it could first go out; None: it waits its turn")
    tries: Mapped[int] = mapped_column(default=0)
    # Not set back when an operator sends it again, as `tries` is.
    unsure_tries: Mapped[int] = mapped_column(
        default=0, server_default="0", comment="Tries that the product may have taken without a reply"
    )
    outcome: Mapped[str] = mapped_column(String(16), default="waiting")
    settled_at: Mapped[datetime | None]
    # On a delivered hand-off: why the product refused the account that the buyer asked for.
    fault: Mapped[str | None] = mapped_column(String(64), comment="Why the latest try failed")
    provider_id: Mapped[str | None] = mapped_column(String(255), index=True, comment="The mail service's id of it")
    bounced_at: Mapped[datetime | None]
    bounce: Mapped[str | None] = mapped_column(String(64), comment="Why the mail did not reach anybody")

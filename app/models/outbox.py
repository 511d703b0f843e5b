"""The outbox: hand-offs to products and mails to people, written in the transaction that causes them."""

from sqlalchemy import JSON, CheckConstraint, Column, ForeignKey, Index, Integer, String, UniqueConstraint, Uuid
from uuid_utils.compat import uuid7

from app.models.base import Model, UtcDateTime

# The outcome of a hand-off or a mail. "cancelled": it is no longer needed, for example after an erasure.
OUTBOX_OUTCOMES = ("waiting", "delivered", "failed", "cancelled")


class OutboxMessage(Model):
    """A hand-off or a mail. The row stays after it was delivered."""

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint(f"outcome IN {OUTBOX_OUTCOMES}", name="outcome"),
        CheckConstraint("(outcome = 'waiting') = (settled_at IS NULL)", name="settled"),
        UniqueConstraint("subscription_id", "sequence"),
        Index(None, "lane", "next_try_at"),
        Index(None, "outcome", "id"),
    )

    id = Column(Uuid, primary_key=True, default=uuid7)
    lane = Column(
        String(264), nullable=False, comment="mail, or handoff/ and the product code; one never waits for another"
    )
    type = Column(String(64), nullable=False, comment="The event's type, or the letter's name")
    subscription_id = Column(Uuid, ForeignKey("subscriptions.id"))
    registration_id = Column(Uuid, index=True, comment="No foreign key: it may be erased")
    sequence = Column(
        Integer, comment="Its place among the subscription's hand-offs; a mail has none, and waits for no other"
    )
    payload = Column(JSON, nullable=False, comment="What is told; of a mail, what it is about")
    created_at = Column(UtcDateTime, nullable=False)
    next_try_at = Column(UtcDateTime, comment="None: settled, or one before it is not yet")
    due_since = Column(UtcDateTime, comment="When it could first go out; None: it waits its turn")
    tries = Column(Integer, nullable=False, default=0)
    # Not set back when an operator sends it again, as `tries` is.
    unsure_tries = Column(
        Integer,
        nullable=False,
        default=0,
        server_default="0",
        comment="Tries that the product may have taken without a reply",
    )
    outcome = Column(String(16), nullable=False, default="waiting")
    settled_at = Column(UtcDateTime)
    # On a delivered hand-off: why the product refused the account that the buyer asked for.
    fault = Column(String(64), comment="Why the latest try failed")
    provider_id = Column(String(255), index=True, comment="The mail service's id of it")
    bounced_at = Column(UtcDateTime)
    bounce = Column(String(64), comment="Why the mail did not reach anybody")

"""Subscriptions, their earlier keys and locks, and the events that AWS sends about them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, and_, bindparam, cast, text
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from app.models.base import Base

SUBSCRIPTION_STATUSES = ("pending", "active", "ending", "ended", "failed")
FINAL_STATUSES = ("ended", "failed")
EVENT_CHANNELS = ("eventbridge", "sns")
# The outcome of an event. Three are replayed later: "waiting" after another event or a landing, "ambiguous" by an
# operator, "not_ours" once the product is configured.
EVENT_OUTCOMES = ("applied", "noted", "waiting", "ambiguous", "not_ours")

# As `change_number`: a trigger puts the number of the change in its place.
NEXT_NUMBER = 0
# Queries by former id have this condition: the index `ix_subscriptions_merged` holds only the few merged rows.
IS_MERGED_SQL = "CAST(former_ids AS VARCHAR) <> '[]'"


class Subscription(Base):
    """One subscription: an agreement between a customer and the seller about one product."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        CheckConstraint(f"status IN {SUBSCRIPTION_STATUSES}", name="status"),
        Index(None, "customer_aws_account_id", "product_code"),
        Index(None, "customer_identifier", "product_code"),
        Index(None, "change_number", "id"),
        # The migration limits it to merged rows. Saying so here would load PostgreSQL's dialect at every start.
        Index("ix_subscriptions_merged", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    purchase_key: Mapped[str] = mapped_column(
        String(600), unique=True, comment="The license's id; without one, the product code and the customer's id"
    )
    product_code: Mapped[str] = mapped_column(String(255))
    customer_aws_account_id: Mapped[str | None] = mapped_column(String(255), comment="Text: it may start with 0")
    customer_identifier: Mapped[str | None] = mapped_column(String(255), comment="Old listings only")
    license_arn: Mapped[str | None] = mapped_column(String(600))
    agreement_id: Mapped[str | None] = mapped_column(String(64), index=True)
    status: Mapped[str] = mapped_column(String(16), default="pending", comment="What AWS's events say of it")
    status_since: Mapped[datetime | None] = mapped_column(comment="Since when; None: since it was created")
    offer_type: Mapped[str | None] = mapped_column(String(64), comment="Unsigned: the browser said so")
    hints: Mapped[dict[str, Any]] = mapped_column(default=dict, comment="Other x-amzn-marketplace-* fields; unsigned")
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime | None] = mapped_column(
        comment="The buyer's last landing; None: known from events only"
    )
    free_trial: Mapped[bool | None] = mapped_column(comment="AWS's events said so; None: they did not say")
    ends_at: Mapped[datetime | None] = mapped_column(comment="The agreement's end, as its latest event has it")
    entitlements: Mapped[list[dict[str, Any]] | None] = mapped_column(
        comment="Dimension, value and expiry of each, as AWS last told; None: never asked"
    )
    entitlements_read_at: Mapped[datetime | None]
    review_at: Mapped[datetime | None] = mapped_column(
        index=True, comment="When the worker joins it with waiting events and reads its entitlements; None: no need"
    )
    # Also counts reviews that failed for another reason.
    review_failures: Mapped[int] = mapped_column(default=0, comment="How often AWS did not tell its entitlements")
    changed_at: Mapped[datetime] = mapped_column(comment="When what other programs are told of it last changed")
    change_number: Mapped[int] = mapped_column(
        BigInteger,
        default=NEXT_NUMBER,
        server_default=str(NEXT_NUMBER),
        comment="The feed's order; a change writes 0, and a trigger its number",
    )
    former_ids: Mapped[list[str]] = mapped_column(default=list, comment="Of those that were merged into it")


# The one that a subscription was merged into, whose id, as text, is `former_id`: in JSON, ids are always spelled so.
HAS_FORMER_ID = and_(text(IS_MERGED_SQL), cast(Subscription.former_ids, String).contains(bindparam("former_id")))


class Feed(Base):
    """The one row that says to which history the change numbers of the subscriptions belong."""

    __tablename__ = "feed"

    epoch: Mapped[UUID] = mapped_column(primary_key=True, comment="Changes when a backup is restored")
    last_number: Mapped[int] = mapped_column(BigInteger, comment="Of the changes; counted on SQLite only")


class EarlierKey(Base):
    """A purchase key of a subscription from before its agreement was renewed or replaced under another license."""

    __tablename__ = "earlier_keys"

    purchase_key: Mapped[str] = mapped_column(String(600), primary_key=True)
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"), index=True)


class AgreementLock(Base):
    """A lock table: one row per agreement id or AWS account id. It holds no data.

    Agreements that replace each other form a chain. A transaction that attaches events or a landing to a chain first
    inserts and locks the row of its agreement id or AWS account id. Without the lock, two workers attach at the same
    time, and each misses what the other has written. Rows are never read, and stay. On SQLite the table stays empty:
    one transaction writes at a time.
    """

    __tablename__ = "agreements"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)


class Event(Base):
    """One event from AWS Marketplace: its complete body, and its outcome."""

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint(f"channel IN {EVENT_CHANNELS}", name="channel"),
        CheckConstraint(f"outcome IN {EVENT_OUTCOMES}", name="outcome"),
        Index(None, "outcome", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    aws_id: Mapped[str] = mapped_column(String(255), unique=True, comment="EventBridge's, SNS's or SQS's id of it")
    channel: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(128), comment="EventBridge's detail-type, or SNS's action")
    happened_at: Mapped[datetime] = mapped_column(comment="When it happened, by AWS's clock")
    received_at: Mapped[datetime]
    product_code: Mapped[str | None] = mapped_column(String(255))
    customer_aws_account_id: Mapped[str | None] = mapped_column(String(255))
    customer_identifier: Mapped[str | None] = mapped_column(String(255))
    license_arn: Mapped[str | None] = mapped_column(String(600), comment="As the event spells it")
    agreement_id: Mapped[str | None] = mapped_column(String(64), index=True)
    previous_agreement_id: Mapped[str | None] = mapped_column(String(64), index=True)
    body: Mapped[dict[str, Any]] = mapped_column(comment="What came out of the queue")
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    outcome: Mapped[str] = mapped_column(String(16), comment="What became of it")
    status_after: Mapped[str | None] = mapped_column(
        String(16), comment="What its coming made of the subscription; None: no change"
    )

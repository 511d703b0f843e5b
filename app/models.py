"""The tables: purchases, AWS's events about them, sign-ups, parked tokens, and what was done to personal data."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator
from uuid_utils.compat import uuid7

STATUSES = ("pending", "active", "ending", "ended", "failed")
CHANNELS = ("eventbridge", "sns")
# What became of an event. The last three wait: for another event or a landing, for a person, for a product's settings.
OUTCOMES = ("applied", "noted", "waiting", "ambiguous", "not_ours")


class Instant(TypeDecorator[datetime]):
    """A moment in UTC on every database: SQLite forgets time zones, so they are put on again."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the moment in UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the moment with its time zone."""
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Base(DeclarativeBase):
    """The tables' shared rules: named constraints, ids that sort by age, times in UTC."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Instant}  # noqa: RUF012  # SQLAlchemy reads it from the class


class Subscription(Base):
    """One purchase: an agreement between a customer and the seller about one product."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        Index(None, "customer_aws_account_id", "product_code"),
        Index(None, "customer_identifier", "product_code"),
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
    hints: Mapped[dict[str, Any]] = mapped_column(
        JSON, default=dict, comment="Other x-amzn-marketplace-* fields; unsigned"
    )
    created_at: Mapped[datetime] = mapped_column()
    last_seen_at: Mapped[datetime | None] = mapped_column(
        comment="The buyer's last landing; None: known from events only"
    )
    free_trial: Mapped[bool | None] = mapped_column(comment="AWS's events said so; None: they did not say")
    ends_at: Mapped[datetime | None] = mapped_column(comment="The agreement's end, as its latest event has it")
    entitlements: Mapped[list[dict[str, Any]] | None] = mapped_column(
        JSON(none_as_null=True), comment="Dimension, value and expiry of each, as AWS last told; None: never asked"
    )
    entitlements_read_at: Mapped[datetime | None] = mapped_column()
    review_at: Mapped[datetime | None] = mapped_column(
        index=True, comment="When the worker joins it with waiting events and reads its entitlements; None: no need"
    )
    review_failures: Mapped[int] = mapped_column(default=0, comment="How often AWS did not tell its entitlements")


class EarlierKey(Base):
    """A purchase key that a subscription had before its agreement was renewed or replaced under another license."""

    __tablename__ = "earlier_keys"

    purchase_key: Mapped[str] = mapped_column(String(600), primary_key=True)
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"), index=True)


class Agreement(Base):
    """An agreement that events or landings told of; whoever joins what belongs to it holds its row meanwhile."""

    __tablename__ = "agreements"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)


class Event(Base):
    """One notification from AWS Marketplace, kept whole, and what it did."""

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint(f"channel IN {CHANNELS}", name="channel"),
        CheckConstraint(f"outcome IN {OUTCOMES}", name="outcome"),
        Index(None, "outcome", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    aws_id: Mapped[str] = mapped_column(String(255), unique=True, comment="EventBridge's, SNS's or SQS's id of it")
    channel: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(128), comment="EventBridge's detail-type, or SNS's action")
    happened_at: Mapped[datetime] = mapped_column(comment="When it happened, by AWS's clock")
    received_at: Mapped[datetime] = mapped_column()
    product_code: Mapped[str | None] = mapped_column(String(255))
    customer_aws_account_id: Mapped[str | None] = mapped_column(String(255))
    customer_identifier: Mapped[str | None] = mapped_column(String(255))
    license_arn: Mapped[str | None] = mapped_column(String(600), comment="As the event spells it")
    agreement_id: Mapped[str | None] = mapped_column(String(64), index=True)
    previous_agreement_id: Mapped[str | None] = mapped_column(String(64), index=True)
    body: Mapped[dict[str, Any]] = mapped_column(JSON, comment="What came out of the queue")
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    outcome: Mapped[str] = mapped_column(String(16), comment="What became of it")
    status_after: Mapped[str | None] = mapped_column(
        String(16), comment="What its coming made of the subscription; None: no change"
    )


class Heartbeat(Base):
    """When some worker last did one of its chores to the end."""

    __tablename__ = "heartbeats"

    chore: Mapped[str] = mapped_column(String(16), primary_key=True)
    at: Mapped[datetime] = mapped_column()


class ParkedToken(Base):
    """A registration token that AWS could not resolve at once, and what came of it later."""

    __tablename__ = "parked_tokens"
    __table_args__ = (CheckConstraint("(sealed IS NULL) = (next_try_at IS NULL)", name="sealed_while_tried"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True, comment="SHA-256 of the token")
    sealed: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="The token, encrypted; erased once it is resolved or dead"
    )
    offer_type: Mapped[str | None] = mapped_column(String(64), comment="Unsigned: the browser said so")
    hints: Mapped[dict[str, Any]] = mapped_column(
        JSON, default=dict, comment="Other x-amzn-marketplace-* fields; unsigned"
    )
    parked_at: Mapped[datetime] = mapped_column()
    next_try_at: Mapped[datetime | None] = mapped_column(index=True, comment="None once it is resolved or dead")
    tries: Mapped[int] = mapped_column(default=0)
    fault: Mapped[str | None] = mapped_column(String(64), comment="Why the latest try failed")
    settled_at: Mapped[datetime | None] = mapped_column(index=True, comment="When it was resolved or died")
    subscription_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("subscriptions.id"), comment="The purchase it turned out to stand for"
    )


class Registration(Base):
    """A sign-up form's answers: for one subscription or, until AWS has resolved it, for a parked token."""

    __tablename__ = "registrations"
    __table_args__ = (
        CheckConstraint("(subscription_id IS NULL) <> (parked_token_id IS NULL)", name="linked_or_waiting"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscriptions.id"), unique=True)
    parked_token_id: Mapped[UUID | None] = mapped_column(ForeignKey("parked_tokens.id"), unique=True)
    company: Mapped[str] = mapped_column(String(200))
    full_name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(254))
    phone: Mapped[str | None] = mapped_column(String(50))
    notes: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column()
    updated_at: Mapped[datetime] = mapped_column()


class AuditEntry(Base):
    """One thing done to somebody's personal data, kept after the data itself is gone."""

    __tablename__ = "audit_entries"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    at: Mapped[datetime] = mapped_column()
    action: Mapped[str] = mapped_column(String(64), comment="noun.verb, as in the logs")
    actor: Mapped[str] = mapped_column(String(200), comment="Who did it: a person at the command, or the retention")
    registration_id: Mapped[UUID] = mapped_column(index=True, comment="No foreign key: the registration is gone")
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscriptions.id"), index=True)

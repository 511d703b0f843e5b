"""The tables: one row for each purchase, and one for each sign-up."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, DateTime, Dialect, ForeignKey, Index, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator
from uuid_utils.compat import uuid7

STATUSES = ("pending", "active", "ending", "ended", "failed")


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
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    purchase_key: Mapped[str] = mapped_column(
        String(600), unique=True, comment="The license ARN; without one, the product code and the customer's id"
    )
    product_code: Mapped[str] = mapped_column(String(255))
    customer_aws_account_id: Mapped[str | None] = mapped_column(String(255), comment="Text: it may start with 0")
    customer_identifier: Mapped[str | None] = mapped_column(String(255), comment="Old listings only")
    license_arn: Mapped[str | None] = mapped_column(String(600))
    agreement_id: Mapped[str | None] = mapped_column(String(64), index=True)
    status: Mapped[str] = mapped_column(String(16), default="pending", comment="What AWS's events say of it")
    offer_type: Mapped[str | None] = mapped_column(String(64), comment="Unsigned: the browser said so")
    hints: Mapped[dict[str, Any]] = mapped_column(
        JSON, default=dict, comment="Other x-amzn-marketplace-* fields; unsigned"
    )
    created_at: Mapped[datetime] = mapped_column()
    last_seen_at: Mapped[datetime] = mapped_column(comment="The buyer's last landing")


class Registration(Base):
    """A sign-up form's answers for one subscription."""

    __tablename__ = "registrations"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"), unique=True)
    company: Mapped[str] = mapped_column(String(200))
    full_name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(254))
    phone: Mapped[str | None] = mapped_column(String(50))
    notes: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column()
    updated_at: Mapped[datetime] = mapped_column()

"""Usage: items that products report, hours that AWS bills, remainders, allowances, calls to AWS, and mails about it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from app.models.base import Base

# open: takes items · frozen: its quantity is fixed, and to be sent · sent: a call is under way, or its answer was not
# read · the others are final. conflict: AWS has another quantity for the hour, which Foyer did not send.
UNSENT_STATES = ("frozen", "sent")
PENDING_STATES = ("open", *UNSENT_STATES)
# It is not billed; a person may write it off.
PROBLEM_STATES = ("conflict", "refused", "expired")
SETTLED_STATES = ("billed", *PROBLEM_STATES, "written-off")
USAGE_STATES = (*PENDING_STATES, *SETTLED_STATES)
# What finds, counts or settles these hours has this condition as it is written: a partial index holds only them.
IS_UNSENT = text("state IN ('frozen', 'sent')")


class UsageHour(Base):
    """The usage of one license and dimension in one clock hour: AWS bills one quantity for it."""

    __tablename__ = "usage_hours"
    __table_args__ = (
        CheckConstraint(f"state IN {USAGE_STATES}", name="state"),
        UniqueConstraint("meter_key", "dimension", "hour"),
        Index(None, "subscription_id", "hour"),
        Index(None, "state", "due_at"),
        Index(None, "hour"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"))
    product_code: Mapped[str] = mapped_column(String(255))
    meter_key: Mapped[str] = mapped_column(
        String(600), comment="The license's id; without one, the product code and the customer's id"
    )
    license_arn: Mapped[str | None] = mapped_column(String(600), comment="None: metered by the product code")
    customer_aws_account_id: Mapped[str | None] = mapped_column(String(255))
    customer_identifier: Mapped[str | None] = mapped_column(String(255))
    dimension: Mapped[str] = mapped_column(String(255))
    hour: Mapped[datetime] = mapped_column(comment="Its start")
    # The sums of its items, and of what an earlier hour left over.
    micros: Mapped[int] = mapped_column(BigInteger, comment="Millionths")
    picos: Mapped[int] = mapped_column(BigInteger, comment="Millionths of a millionth, beside those")
    state: Mapped[str] = mapped_column(String(16), default="open")
    due_at: Mapped[datetime | None] = mapped_column(
        comment="When it is frozen, sent, or sent again; while a call is under way, the end of the lease"
    )
    timestamp: Mapped[datetime | None] = mapped_column(comment="The time that AWS is sent")
    quantity: Mapped[int | None] = mapped_column(BigInteger, comment="What AWS is sent, in millionths")
    included: Mapped[int | None] = mapped_column(
        BigInteger, comment="Of the items, what the contract includes, in millionths; it is not sent"
    )
    allocations: Mapped[list[dict[str, Any]] | None] = mapped_column(
        JSON(none_as_null=True), comment="Its parts by tags, where an item has some"
    )
    tries: Mapped[int] = mapped_column(default=0, comment="Calls that it was in")
    unread_tries: Mapped[int] = mapped_column(default=0, comment="Calls whose answer was never read")
    code: Mapped[str | None] = mapped_column(String(64), comment="Why the latest call did not bill it")
    metering_record_id: Mapped[str | None] = mapped_column(String(255), comment="AWS's id of the record")
    created_at: Mapped[datetime]
    frozen_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    # An alarm is raised once.
    alarmed_at: Mapped[datetime | None] = mapped_column(comment="When it was unsent for half of its time")


class UsageItem(Base):
    """One item of usage, as the seller's product reported it. It never changes, but for what becomes of a held one."""

    __tablename__ = "usage_items"
    __table_args__ = (UniqueConstraint("product_code", "item_id"), Index(None, "hour_id"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    product_code: Mapped[str] = mapped_column(String(255))
    item_id: Mapped[str] = mapped_column(String(255), comment="The product's id of it")
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    hour_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("usage_hours.id"),
        comment="In which it is billed; None: held, for a person to decide, or written off",
    )
    dimension: Mapped[str] = mapped_column(String(255))
    micros: Mapped[int] = mapped_column(BigInteger)
    picos: Mapped[int] = mapped_column(BigInteger)
    used_at: Mapped[datetime]
    tags: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    is_late: Mapped[bool] = mapped_column(comment="It came when its own hour was frozen")
    received_at: Mapped[datetime]
    written_off_at: Mapped[datetime | None] = mapped_column(comment="When a person decided that it is not billed")


# No hour bills the item until a person decides.
IS_HELD = UsageItem.hour_id.is_(None) & UsageItem.written_off_at.is_(None)


class UsageRemainder(Base):
    """What a frozen hour left over because AWS takes six decimals, or whole units: the next hour begins with it."""

    __tablename__ = "usage_remainders"

    meter_key: Mapped[str] = mapped_column(String(600), primary_key=True)
    dimension: Mapped[str] = mapped_column(String(255), primary_key=True)
    picos: Mapped[int] = mapped_column(BigInteger, comment="Less than a unit that AWS takes")


class UsageAllowance(Base):
    """What frozen hours have used of the amount that a contract includes, until the entitlement expires."""

    __tablename__ = "usage_allowances"

    meter_key: Mapped[str] = mapped_column(String(600), primary_key=True)
    dimension: Mapped[str] = mapped_column(String(255), primary_key=True, comment="The contract's")
    expires_at: Mapped[datetime] = mapped_column(primary_key=True)
    micros: Mapped[int] = mapped_column(BigInteger)
    picos: Mapped[int] = mapped_column(BigInteger)


class UsageAttempt(Base):
    """One call to BatchMeterUsage, stored before it is made."""

    __tablename__ = "usage_attempts"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    product_code: Mapped[str] = mapped_column(String(255))
    hour_ids: Mapped[list[str]] = mapped_column(comment="In the order of the records")
    body: Mapped[dict[str, Any]] = mapped_column(comment="The parameters of the call")
    started_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None] = mapped_column(comment="None: the answer was never read")
    outcome: Mapped[str | None] = mapped_column(String(64), comment="answered, or AWS's code, or the error's name")


class UsageMail(Base):
    """The latest mail about a product's usage, by its type: the seller gets one in an hour, or in a day."""

    __tablename__ = "usage_mails"

    product_code: Mapped[str] = mapped_column(String(255), primary_key=True)
    type: Mapped[str] = mapped_column(String(64), primary_key=True)
    message_id: Mapped[UUID | None] = mapped_column(comment="The latest in the outbox")
    due_at: Mapped[datetime | None] = mapped_column(comment="When that one could first go out")

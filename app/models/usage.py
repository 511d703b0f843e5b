"""Usage: items that products report, hours that AWS bills, remainders, allowances, calls to AWS, and mails about it."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    Uuid,
    text,
)
from uuid_utils.compat import uuid7

from app.models.base import Model, UtcDateTime

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


class UsageHour(Model):
    """The usage of one license and dimension in one clock hour: AWS bills one quantity for it."""

    __tablename__ = "usage_hours"
    __table_args__ = (
        CheckConstraint(f"state IN {USAGE_STATES}", name="state"),
        UniqueConstraint("meter_key", "dimension", "hour"),
        Index(None, "subscription_id", "hour"),
        Index(None, "state", "due_at"),
        Index(None, "hour"),
    )

    id = Column(Uuid, primary_key=True, default=uuid7)
    subscription_id = Column(Uuid, ForeignKey("subscriptions.id"), nullable=False)
    product_code = Column(String(255), nullable=False)
    meter_key = Column(
        String(600), nullable=False, comment="The license's id; without one, the product code and the customer's id"
    )
    license_arn = Column(String(600), comment="None: metered by the product code")
    customer_aws_account_id = Column(String(255))
    customer_identifier = Column(String(255))
    dimension = Column(String(255), nullable=False)
    hour = Column(UtcDateTime, nullable=False, comment="Its start")
    # The sums of its items, and of what an earlier hour left over.
    micros = Column(BigInteger, nullable=False, comment="Millionths")
    picos = Column(BigInteger, nullable=False, comment="Millionths of a millionth, beside those")
    state = Column(String(16), nullable=False, default="open")
    due_at = Column(
        UtcDateTime, comment="When it is frozen, sent, or sent again; while a call is under way, the end of the lease"
    )
    timestamp = Column(UtcDateTime, comment="The time that AWS is sent")
    quantity = Column(BigInteger, comment="What AWS is sent, in millionths")
    included = Column(BigInteger, comment="Of the items, what the contract includes, in millionths; it is not sent")
    allocations = Column(JSON(none_as_null=True), comment="Its parts by tags, where an item has some")
    tries = Column(Integer, nullable=False, default=0, comment="Calls that it was in")
    unread_tries = Column(Integer, nullable=False, default=0, comment="Calls whose answer was never read")
    code = Column(String(64), comment="Why the latest call did not bill it")
    metering_record_id = Column(String(255), comment="AWS's id of the record")
    created_at = Column(UtcDateTime, nullable=False)
    frozen_at = Column(UtcDateTime)
    settled_at = Column(UtcDateTime)
    # An alarm is raised once.
    alarmed_at = Column(UtcDateTime, comment="When it was unsent for half of its time")


class UsageItem(Model):
    """One item of usage, as the seller's product reported it. It never changes, but for what becomes of a held one."""

    __tablename__ = "usage_items"
    __table_args__ = (UniqueConstraint("product_code", "item_id"), Index(None, "hour_id"))

    id = Column(Uuid, primary_key=True, default=uuid7)
    product_code = Column(String(255), nullable=False)
    item_id = Column(String(255), nullable=False, comment="The product's id of it")
    subscription_id = Column(Uuid, ForeignKey("subscriptions.id"), nullable=False, index=True)
    hour_id = Column(
        Uuid,
        ForeignKey("usage_hours.id"),
        comment="In which it is billed; None: held, for a person to decide, or written off",
    )
    dimension = Column(String(255), nullable=False)
    micros = Column(BigInteger, nullable=False)
    picos = Column(BigInteger, nullable=False)
    used_at = Column(UtcDateTime, nullable=False)
    tags = Column(JSON(none_as_null=True))
    is_late = Column(Boolean, nullable=False, comment="It came when its own hour was frozen")
    received_at = Column(UtcDateTime, nullable=False)
    written_off_at = Column(UtcDateTime, comment="When a person decided that it is not billed")


# No hour bills the item until a person decides.
IS_HELD = UsageItem.hour_id.is_(None) & UsageItem.written_off_at.is_(None)


class UsageRemainder(Model):
    """What a frozen hour left over because AWS takes six decimals, or whole units: the next hour begins with it."""

    __tablename__ = "usage_remainders"

    meter_key = Column(String(600), primary_key=True)
    dimension = Column(String(255), primary_key=True)
    picos = Column(BigInteger, nullable=False, comment="Less than a unit that AWS takes")


class UsageAllowance(Model):
    """What frozen hours have used of the amount that a contract includes, until the entitlement expires."""

    __tablename__ = "usage_allowances"

    meter_key = Column(String(600), primary_key=True)
    dimension = Column(String(255), primary_key=True, comment="The contract's")
    expires_at = Column(UtcDateTime, primary_key=True)
    micros = Column(BigInteger, nullable=False)
    picos = Column(BigInteger, nullable=False)


class UsageAttempt(Model):
    """One call to BatchMeterUsage, stored before it is made."""

    __tablename__ = "usage_attempts"

    id = Column(Uuid, primary_key=True, default=uuid7)
    product_code = Column(String(255), nullable=False)
    hour_ids = Column(JSON(none_as_null=True), nullable=False, comment="In the order of the records")
    body = Column(JSON, nullable=False, comment="The parameters of the call")
    started_at = Column(UtcDateTime, nullable=False, index=True)
    ended_at = Column(UtcDateTime, comment="None: the answer was never read")
    outcome = Column(String(64), comment="answered, or AWS's code, or the error's name")


class UsageMail(Model):
    """The latest mail about a product's usage, by its type: the seller gets one in an hour, or in a day."""

    __tablename__ = "usage_mails"

    product_code = Column(String(255), primary_key=True)
    type = Column(String(64), primary_key=True)
    message_id = Column(Uuid, comment="The latest in the outbox")
    due_at = Column(UtcDateTime, comment="When that one could first go out")

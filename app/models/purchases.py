"""Subscriptions, their earlier keys and locks, and the events that AWS sends about them."""

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
    Uuid,
    and_,
    bindparam,
    cast,
    text,
)
from uuid_utils.compat import uuid7

from app.models.base import Model, UtcDateTime

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


class Subscription(Model):
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

    id = Column(Uuid, primary_key=True, default=uuid7)
    purchase_key = Column(
        String(600),
        nullable=False,
        unique=True,
        comment="The license's id; without one, the product code and the customer's id",
    )
    product_code = Column(String(255), nullable=False)
    customer_aws_account_id = Column(String(255), comment="Text: it may start with 0")
    customer_identifier = Column(String(255), comment="Old listings only")
    license_arn = Column(String(600))
    agreement_id = Column(String(64), index=True)
    status = Column(String(16), nullable=False, default="pending", comment="What AWS's events say of it")
    status_since = Column(UtcDateTime, comment="Since when; None: since it was created")
    offer_type = Column(String(64), comment="Unsigned: the browser said so")
    hints = Column(JSON, nullable=False, default=dict, comment="Other x-amzn-marketplace-* fields; unsigned")
    created_at = Column(UtcDateTime, nullable=False)
    last_seen_at = Column(UtcDateTime, comment="The buyer's last landing; None: known from events only")
    free_trial = Column(Boolean, comment="AWS's events said so; None: they did not say")
    ends_at = Column(UtcDateTime, comment="The agreement's end, as its latest event has it")
    entitlements = Column(
        JSON(none_as_null=True), comment="Dimension, value and expiry of each, as AWS last told; None: never asked"
    )
    entitlements_read_at = Column(UtcDateTime)
    review_at = Column(
        UtcDateTime,
        index=True,
        comment="When the worker joins it with waiting events and reads its entitlements; None: no need",
    )
    # Also counts reviews that failed for another reason.
    review_failures = Column(Integer, nullable=False, default=0, comment="How often AWS did not tell its entitlements")
    changed_at = Column(UtcDateTime, nullable=False, comment="When what other programs are told of it last changed")
    change_number = Column(
        BigInteger,
        nullable=False,
        default=NEXT_NUMBER,
        server_default=str(NEXT_NUMBER),
        comment="The feed's order; a change writes 0, and a trigger its number",
    )
    former_ids = Column(
        JSON(none_as_null=True), nullable=False, default=list, comment="Of those that were merged into it"
    )


# The one that a subscription was merged into, whose id, as text, is `former_id`: in JSON, ids are always spelled so.
HAS_FORMER_ID = and_(text(IS_MERGED_SQL), cast(Subscription.former_ids, String).contains(bindparam("former_id")))


class Feed(Model):
    """The one row that says to which history the change numbers of the subscriptions belong."""

    __tablename__ = "feed"

    epoch = Column(Uuid, primary_key=True, comment="Changes when a backup is restored")
    last_number = Column(BigInteger, nullable=False, comment="Of the changes; counted on SQLite only")


class EarlierKey(Model):
    """A purchase key of a subscription from before its agreement was renewed or replaced under another license."""

    __tablename__ = "earlier_keys"

    purchase_key = Column(String(600), primary_key=True)
    subscription_id = Column(Uuid, ForeignKey("subscriptions.id"), nullable=False, index=True)


class AgreementLock(Model):
    """A lock table: one row per agreement id or AWS account id. It holds no data.

    Agreements that replace each other form a chain. A transaction that attaches events or a landing to a chain first
    inserts and locks the row of its agreement id or AWS account id. Without the lock, two workers attach at the same
    time, and each misses what the other has written. Rows are never read, and stay. On SQLite the table stays empty:
    one transaction writes at a time.
    """

    __tablename__ = "agreements"

    id = Column(String(64), primary_key=True)


class Event(Model):
    """One event from AWS Marketplace: its complete body, and its outcome."""

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint(f"channel IN {EVENT_CHANNELS}", name="channel"),
        CheckConstraint(f"outcome IN {EVENT_OUTCOMES}", name="outcome"),
        Index(None, "outcome", "id"),
    )

    id = Column(Uuid, primary_key=True, default=uuid7)
    aws_id = Column(String(255), nullable=False, unique=True, comment="EventBridge's, SNS's or SQS's id of it")
    channel = Column(String(16), nullable=False)
    kind = Column(String(128), nullable=False, comment="EventBridge's detail-type, or SNS's action")
    happened_at = Column(UtcDateTime, nullable=False, comment="When it happened, by AWS's clock")
    received_at = Column(UtcDateTime, nullable=False)
    product_code = Column(String(255))
    customer_aws_account_id = Column(String(255))
    customer_identifier = Column(String(255))
    license_arn = Column(String(600), comment="As the event spells it")
    agreement_id = Column(String(64), index=True)
    previous_agreement_id = Column(String(64), index=True)
    body = Column(JSON, nullable=False, comment="What came out of the queue")
    subscription_id = Column(Uuid, ForeignKey("subscriptions.id"), index=True)
    outcome = Column(String(16), nullable=False, comment="What became of it")
    status_after = Column(String(16), comment="What its coming made of the subscription; None: no change")

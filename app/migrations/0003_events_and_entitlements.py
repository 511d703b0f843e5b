"""Adds AWS's events and entitlements, and makes the license id the key of a subscription."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

CHANNELS = ("eventbridge", "sns")
OUTCOMES = ("applied", "noted", "waiting", "ambiguous", "not_ours")
# What follows the last colon or slash of the ARN.
LICENSE_ID = {
    "sqlite": "replace(license_arn, rtrim(license_arn, replace(replace(license_arn, ':', ''), '/', '')), '')",
    "postgresql": "regexp_replace(license_arn, '^.*[:/]', '')",
}
# Made anew at each use: a column belongs to one table.
COLUMNS: tuple[Callable[[], sa.Column[Any]], ...] = (
    lambda: sa.Column("free_trial", sa.Boolean(), comment="AWS's events said so; None: they did not say"),
    lambda: sa.Column("ends_at", sa.DateTime(timezone=True), comment="The agreement's end, as its latest event has it"),
    lambda: sa.Column(
        "entitlements", sa.JSON(), comment="Dimension, value and expiry of each, as AWS last told; None: never asked"
    ),
    lambda: sa.Column("entitlements_read_at", sa.DateTime(timezone=True)),
    lambda: sa.Column(
        "review_at",
        sa.DateTime(timezone=True),
        comment="When the worker joins it with waiting events and reads its entitlements; None: no need",
    ),
    lambda: sa.Column(
        "review_failures",
        sa.Integer(),
        nullable=False,
        server_default="0",
        comment="How often AWS did not tell its entitlements",
    ),
)


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        # A buyer must not wait for long; a table of millions has to.
        op.execute("SET LOCAL statement_timeout = 0")
    op.create_table(
        "earlier_keys",
        sa.Column("purchase_key", sa.String(600), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name="fk_earlier_keys_subscription_id"),
        sa.PrimaryKeyConstraint("purchase_key", name="pk_earlier_keys"),
    )
    op.create_index("ix_earlier_keys_subscription_id", "earlier_keys", ["subscription_id"])
    op.create_table(
        "agreements",
        sa.Column("id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agreements"),
    )
    op.create_table(
        "heartbeats",
        sa.Column("chore", sa.String(16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("chore", name="pk_heartbeats"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("aws_id", sa.String(255), nullable=False, comment="EventBridge's, SNS's or SQS's id of it"),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(128), nullable=False, comment="EventBridge's detail-type, or SNS's action"),
        sa.Column(
            "happened_at", sa.DateTime(timezone=True), nullable=False, comment="When it happened, by AWS's clock"
        ),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("product_code", sa.String(255)),
        sa.Column("customer_aws_account_id", sa.String(255)),
        sa.Column("customer_identifier", sa.String(255)),
        sa.Column("license_arn", sa.String(600), comment="As the event spells it"),
        sa.Column("agreement_id", sa.String(64)),
        sa.Column("previous_agreement_id", sa.String(64)),
        sa.Column("body", sa.JSON(), nullable=False, comment="What came out of the queue"),
        sa.Column("subscription_id", sa.Uuid()),
        sa.Column("outcome", sa.String(16), nullable=False, comment="What became of it"),
        sa.Column("status_after", sa.String(16), comment="What its coming made of the subscription; None: no change"),
        sa.CheckConstraint(f"channel IN {CHANNELS}", name="channel"),
        sa.CheckConstraint(f"outcome IN {OUTCOMES}", name="outcome"),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name="fk_events_subscription_id"),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("aws_id", name="uq_events_aws_id"),
    )
    for columns in (["outcome", "id"], ["agreement_id"], ["previous_agreement_id"], ["subscription_id"]):
        op.create_index(f"ix_events_{'_'.join(columns)}", "events", columns)
    for column in COLUMNS:
        op.add_column("subscriptions", column())
    _let_last_seen_at_be_empty()
    op.create_index(
        "ix_subscriptions_customer_identifier_product_code", "subscriptions", ["customer_identifier", "product_code"]
    )
    op.create_index("ix_subscriptions_review_at", "subscriptions", ["review_at"])
    license_id = LICENSE_ID[op.get_bind().dialect.name]
    op.execute(f"UPDATE subscriptions SET purchase_key = {license_id} WHERE purchase_key = license_arn")  # noqa: S608
    if op.get_bind().dialect.name != "sqlite":
        comment = "The license's id; without one, the product code and the customer's id"
        op.alter_column("subscriptions", "purchase_key", existing_type=sa.String(600), comment=comment)


def _let_last_seen_at_be_empty() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column(
            "subscriptions",
            "last_seen_at",
            existing_type=sa.DateTime(timezone=True),
            nullable=True,
            comment="The buyer's last landing; None: known from events only",
        )
        return
    # SQLite would make the table anew, and what refers to it forbids that.
    op.add_column("subscriptions", sa.Column("seen", sa.DateTime(timezone=True)))
    op.execute("UPDATE subscriptions SET seen = last_seen_at")
    op.drop_column("subscriptions", "last_seen_at")
    op.alter_column("subscriptions", "seen", new_column_name="last_seen_at")


def downgrade() -> None:
    op.execute("UPDATE subscriptions SET purchase_key = license_arn WHERE license_arn IS NOT NULL")
    op.execute("UPDATE subscriptions SET last_seen_at = created_at WHERE last_seen_at IS NULL")
    op.drop_index("ix_subscriptions_review_at", "subscriptions")
    op.drop_index("ix_subscriptions_customer_identifier_product_code", "subscriptions")
    for column in COLUMNS:
        op.drop_column("subscriptions", column().name)
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("subscriptions", "last_seen_at", existing_type=sa.DateTime(timezone=True), nullable=False)
    for table in ("events", "heartbeats", "agreements", "earlier_keys"):
        op.drop_table(table)

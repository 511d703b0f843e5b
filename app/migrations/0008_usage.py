"""Adds usage: items, hours, remainders and calls, and the scopes of API tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STATES = ("open", "frozen", "sent", "billed", "conflict", "refused", "expired", "written-off")
UNSENT = sa.text("state IN ('frozen', 'sent')")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_hours()
    _create_items()
    op.create_table(
        "usage_remainders",
        sa.Column("meter_key", sa.String(600), nullable=False),
        sa.Column("dimension", sa.String(255), nullable=False),
        sa.Column("picos", sa.BigInteger(), nullable=False, comment="Less than a unit that AWS takes"),
        sa.PrimaryKeyConstraint("meter_key", "dimension", name="pk_usage_remainders"),
    )
    op.create_table(
        "usage_allowances",
        sa.Column("meter_key", sa.String(600), nullable=False),
        sa.Column("dimension", sa.String(255), nullable=False, comment="The contract's"),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.Column("picos", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("meter_key", "dimension", "expires_at", name="pk_usage_allowances"),
    )
    op.create_table(
        "usage_attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("product_code", sa.String(255), nullable=False),
        sa.Column("hour_ids", sa.JSON(none_as_null=True), nullable=False, comment="In the order of the records"),
        sa.Column("body", sa.JSON(), nullable=False, comment="The parameters of the call"),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, comment="None: the answer was never read"),
        sa.Column("outcome", sa.String(64), comment="answered, or AWS's code, or the error's name"),
        sa.PrimaryKeyConstraint("id", name="pk_usage_attempts"),
    )
    op.create_index("ix_usage_attempts_started_at", "usage_attempts", ["started_at"])
    op.create_table(
        "usage_mails",
        sa.Column("product_code", sa.String(255), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("message_id", sa.Uuid(), comment="The latest in the outbox"),
        sa.Column("due_at", TIME, comment="When that one could first go out"),
        sa.PrimaryKeyConstraint("product_code", "type", name="pk_usage_mails"),
    )
    op.add_column("api_tokens", sa.Column("scopes", sa.JSON(none_as_null=True), comment="None: read"))


def _create_hours() -> None:
    op.create_table(
        "usage_hours",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("product_code", sa.String(255), nullable=False),
        sa.Column(
            "meter_key",
            sa.String(600),
            nullable=False,
            comment="The license's id; without one, the product code and the customer's id",
        ),
        sa.Column("license_arn", sa.String(600), comment="None: metered by the product code"),
        sa.Column("customer_aws_account_id", sa.String(255)),
        sa.Column("customer_identifier", sa.String(255)),
        sa.Column("dimension", sa.String(255), nullable=False),
        sa.Column("hour", TIME, nullable=False, comment="Its start"),
        sa.Column("micros", sa.BigInteger(), nullable=False, comment="Millionths"),
        sa.Column("picos", sa.BigInteger(), nullable=False, comment="Millionths of a millionth, beside those"),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column(
            "due_at",
            TIME,
            comment="When it is frozen, sent, or sent again; while a call is under way, the end of the lease",
        ),
        sa.Column("timestamp", TIME, comment="The time that AWS is sent"),
        sa.Column("quantity", sa.BigInteger(), comment="What AWS is sent, in millionths"),
        sa.Column(
            "included",
            sa.BigInteger(),
            comment="Of the items, what the contract includes, in millionths; it is not sent",
        ),
        sa.Column("allocations", sa.JSON(none_as_null=True), comment="Its parts by tags, where an item has some"),
        sa.Column("tries", sa.Integer(), nullable=False, comment="Calls that it was in"),
        sa.Column("unread_tries", sa.Integer(), nullable=False, comment="Calls whose answer was never read"),
        sa.Column("code", sa.String(64), comment="Why the latest call did not bill it"),
        sa.Column("metering_record_id", sa.String(255), comment="AWS's id of the record"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("frozen_at", TIME),
        sa.Column("settled_at", TIME),
        sa.Column("alarmed_at", TIME, comment="When it was unsent for half of its time"),
        sa.CheckConstraint(f"state IN {STATES}", name="ck_usage_hours_state"),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name="fk_usage_hours_subscription_id_subscriptions"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_usage_hours"),
        sa.UniqueConstraint("meter_key", "dimension", "hour", name="uq_usage_hours_meter_key_dimension_hour"),
    )
    op.create_index("ix_usage_hours_subscription_id_hour", "usage_hours", ["subscription_id", "hour"])
    op.create_index("ix_usage_hours_state_due_at", "usage_hours", ["state", "due_at"])
    op.create_index("ix_usage_hours_hour", "usage_hours", ["hour"])
    op.create_index("ix_usage_hours_unsent", "usage_hours", ["hour"], sqlite_where=UNSENT, postgresql_where=UNSENT)


def _create_items() -> None:
    op.create_table(
        "usage_items",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("product_code", sa.String(255), nullable=False),
        sa.Column("item_id", sa.String(255), nullable=False, comment="The product's id of it"),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column(
            "hour_id", sa.Uuid(), comment="In which it is billed; None: held, for a person to decide, or written off"
        ),
        sa.Column("dimension", sa.String(255), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.Column("picos", sa.BigInteger(), nullable=False),
        sa.Column("used_at", TIME, nullable=False),
        sa.Column("tags", sa.JSON(none_as_null=True)),
        sa.Column("is_late", sa.Boolean(), nullable=False, comment="It came when its own hour was frozen"),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("written_off_at", TIME, comment="When a person decided that it is not billed"),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name="fk_usage_items_subscription_id_subscriptions"
        ),
        sa.ForeignKeyConstraint(["hour_id"], ["usage_hours.id"], name="fk_usage_items_hour_id_usage_hours"),
        sa.PrimaryKeyConstraint("id", name="pk_usage_items"),
        sa.UniqueConstraint("product_code", "item_id", name="uq_usage_items_product_code_item_id"),
    )
    op.create_index("ix_usage_items_hour_id", "usage_items", ["hour_id"])
    op.create_index("ix_usage_items_subscription_id", "usage_items", ["subscription_id"])


def downgrade() -> None:
    op.drop_column("api_tokens", "scopes")
    for table in (
        "usage_mails",
        "usage_attempts",
        "usage_allowances",
        "usage_remainders",
        "usage_items",
        "usage_hours",
    ):
        op.drop_table(table)

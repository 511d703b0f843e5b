"""Creates the tables of subscriptions and registrations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = ("default",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "purchase_key",
            sa.String(600),
            nullable=False,
            comment="The license ARN; without one, the product code and the customer's id",
        ),
        sa.Column("product_code", sa.String(255), nullable=False),
        sa.Column("customer_aws_account_id", sa.String(255), comment="Text: it may start with 0"),
        sa.Column("customer_identifier", sa.String(255), comment="Old listings only"),
        sa.Column("license_arn", sa.String(600)),
        sa.Column("agreement_id", sa.String(64)),
        sa.Column("status", sa.String(16), nullable=False, comment="What AWS's events say of it"),
        sa.Column("offer_type", sa.String(64), comment="Unsigned: the browser said so"),
        sa.Column("hints", sa.JSON(), nullable=False, comment="Other x-amzn-marketplace-* fields; unsigned"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False, comment="The buyer's last landing"),
        sa.CheckConstraint("status IN ('pending', 'active', 'ending', 'ended', 'failed')", name="status"),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
        sa.UniqueConstraint("purchase_key", name="uq_subscriptions_purchase_key"),
    )
    op.create_index(
        "ix_subscriptions_customer_aws_account_id_product_code",
        "subscriptions",
        ["customer_aws_account_id", "product_code"],
    )
    op.create_index("ix_subscriptions_agreement_id", "subscriptions", ["agreement_id"])
    op.create_table(
        "registrations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("company", sa.String(200), nullable=False),
        sa.Column("full_name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("phone", sa.String(50)),
        sa.Column("notes", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name="fk_registrations_subscription_id"),
        sa.PrimaryKeyConstraint("id", name="pk_registrations"),
        sa.UniqueConstraint("subscription_id", name="uq_registrations_subscription_id"),
    )


def downgrade() -> None:
    op.drop_table("registrations")
    op.drop_table("subscriptions")

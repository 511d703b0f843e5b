"""Adds pending tokens, registrations that belong to a pending token, and the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "parked_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the token"),
        sa.Column("sealed", sa.LargeBinary(), comment="The token, encrypted; erased once it is resolved or dead"),
        sa.Column("offer_type", sa.String(64), comment="Unsigned: the browser said so"),
        sa.Column("hints", sa.JSON(), nullable=False, comment="Other x-amzn-marketplace-* fields; unsigned"),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), comment="None once it is resolved or dead"),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("fault", sa.String(64), comment="Why the latest try failed"),
        sa.Column("settled_at", sa.DateTime(timezone=True), comment="When it was resolved or died"),
        sa.Column("subscription_id", sa.Uuid(), comment="The purchase it turned out to stand for"),
        sa.CheckConstraint("(sealed IS NULL) = (next_try_at IS NULL)", name="sealed_while_tried"),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name="fk_parked_tokens_subscription_id"),
        sa.PrimaryKeyConstraint("id", name="pk_parked_tokens"),
        sa.UniqueConstraint("digest", name="uq_parked_tokens_digest"),
    )
    op.create_index("ix_parked_tokens_next_try_at", "parked_tokens", ["next_try_at"])
    op.create_index("ix_parked_tokens_settled_at", "parked_tokens", ["settled_at"])
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(64), nullable=False, comment="noun.verb, as in the logs"),
        sa.Column(
            "actor", sa.String(200), nullable=False, comment="Who did it: a person at the command, or the retention"
        ),
        sa.Column("registration_id", sa.Uuid(), nullable=False, comment="No foreign key: the registration is gone"),
        sa.Column("subscription_id", sa.Uuid()),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name="fk_audit_entries_subscription_id"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
    )
    op.create_index("ix_audit_entries_registration_id", "audit_entries", ["registration_id"])
    op.create_index("ix_audit_entries_subscription_id", "audit_entries", ["subscription_id"])
    op.add_column(
        "subscriptions",
        sa.Column("status_since", sa.DateTime(timezone=True), comment="Since when; None: since it was created"),
    )
    with op.batch_alter_table("registrations") as registrations:
        registrations.alter_column("subscription_id", existing_type=sa.Uuid(), nullable=True)
        registrations.add_column(sa.Column("parked_token_id", sa.Uuid()))
        registrations.create_foreign_key(
            "fk_registrations_parked_token_id", "parked_tokens", ["parked_token_id"], ["id"]
        )
        registrations.create_unique_constraint("uq_registrations_parked_token_id", ["parked_token_id"])
        registrations.create_check_constraint(
            "linked_or_waiting", "(subscription_id IS NULL) <> (parked_token_id IS NULL)"
        )


def downgrade() -> None:
    op.execute("DELETE FROM registrations WHERE subscription_id IS NULL")
    with op.batch_alter_table("registrations") as registrations:
        registrations.drop_constraint("linked_or_waiting", type_="check")
        registrations.drop_constraint("uq_registrations_parked_token_id", type_="unique")
        registrations.drop_constraint("fk_registrations_parked_token_id", type_="foreignkey")
        registrations.drop_column("parked_token_id")
        registrations.alter_column("subscription_id", existing_type=sa.Uuid(), nullable=False)
    op.drop_column("subscriptions", "status_since")
    op.drop_table("audit_entries")
    op.drop_table("parked_tokens")

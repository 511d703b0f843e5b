"""Adds the outbox of hand-offs and mails, accounts in products, invitations, and tokens of the read API."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SENT = ("waiting", "delivered", "failed", "cancelled")
REFUSALS = ("not_found", "not_allowed", "already_linked", "confirmation_needed", "not_supported")
INSTANT = sa.DateTime(timezone=True)
# Made anew at each use: a column belongs to one table.
COLUMNS: tuple[tuple[str, Callable[[], sa.Column[Any]]], ...] = (
    (
        "subscriptions",
        lambda: sa.Column(
            "changed_at",
            INSTANT,
            nullable=False,
            server_default="1970-01-01 00:00:00.000000",
            comment="When what other programs are told of it last changed",
        ),
    ),
    (
        "subscriptions",
        lambda: sa.Column(
            "former_ids",
            sa.JSON(),
            nullable=False,
            server_default="[]",
            comment="Of those that were merged into it",
        ),
    ),
    (
        "registrations",
        lambda: sa.Column(
            "account",
            sa.String(36),
            nullable=False,
            server_default="new",
            comment="new, existing, or the id of the subscription whose account it shall join",
        ),
    ),
    (
        "registrations",
        lambda: sa.Column("existing_account", sa.String(200), comment="Which one, in the buyer's words"),
    ),
)


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        # A buyer must not wait for long; a table of millions has to.
        op.execute("SET LOCAL statement_timeout = 0")
    _create_outbox()
    op.create_table(
        "accounts",
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.String(2048)),
        sa.Column("reference", sa.String(255)),
        sa.Column("refused", sa.String(32), comment="Why it is not the account that was asked for"),
        sa.Column("answered_at", INSTANT, nullable=False),
        sa.CheckConstraint(f"refused IN {REFUSALS}", name="refused"),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name="fk_accounts_subscription_id"),
        sa.PrimaryKeyConstraint("subscription_id", name="pk_accounts"),
    )
    op.create_table(
        "invitations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(254), comment="Erased once it is of no more use"),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("accepted_at", INSTANT),
        sa.Column("accepted_by", sa.LargeBinary(), comment="SHA-256 of what tells the session"),
        sa.Column("revoked_at", INSTANT),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name="fk_invitations_subscription_id"),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
    )
    for indexed in ("subscription_id", "expires_at"):
        op.create_index(f"ix_invitations_{indexed}", "invitations", [indexed])
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False, comment="What the operator calls it"),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the token"),
        sa.Column("product_codes", sa.JSON(), comment="What it may read; None: every product"),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sa.UniqueConstraint("digest", name="uq_api_tokens_digest"),
    )
    for table, column in COLUMNS:
        op.add_column(table, column())
    op.execute("UPDATE subscriptions SET changed_at = created_at")
    op.create_index("ix_subscriptions_changed_at_id", "subscriptions", ["changed_at", "id"])
    merged = sa.text("CAST(former_ids AS VARCHAR) <> '[]'")
    op.create_index("ix_subscriptions_merged", "subscriptions", ["id"], sqlite_where=merged, postgresql_where=merged)
    _let_registration_id_be_empty(nullable=True)


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "lane",
            sa.String(264),
            nullable=False,
            comment="mail, or handoff/ and the product code; one never waits for another",
        ),
        sa.Column("type", sa.String(64), nullable=False, comment="The event's type, or the letter's name"),
        sa.Column("subscription_id", sa.Uuid()),
        sa.Column("registration_id", sa.Uuid(), comment="No foreign key: it may be erased"),
        sa.Column(
            "sequence",
            sa.Integer(),
            comment="Its place among the subscription's hand-offs; a mail has none, and waits for no other",
        ),
        sa.Column("payload", sa.JSON(), nullable=False, comment="What is told; of a mail, what it is about"),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("next_try_at", INSTANT, comment="None: settled, or one before it is not yet"),
        sa.Column("due_since", INSTANT, comment="When it could first go out; None: it waits its turn"),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("settled_at", INSTANT),
        sa.Column("fault", sa.String(64), comment="Why the latest try failed"),
        sa.Column("provider_id", sa.String(255), comment="The mail service's id of it"),
        sa.Column("bounced_at", INSTANT),
        sa.Column("bounce", sa.String(64), comment="Why the mail did not reach anybody"),
        sa.CheckConstraint(f"outcome IN {SENT}", name="outcome"),
        sa.CheckConstraint("(outcome = 'waiting') = (settled_at IS NULL)", name="settled"),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name="fk_outbox_subscription_id"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("subscription_id", "sequence", name="uq_outbox_subscription_id_sequence"),
    )
    for indexed in (["lane", "next_try_at"], ["outcome", "id"], ["registration_id"], ["provider_id"]):
        op.create_index(f"ix_outbox_{'_'.join(indexed)}", "outbox", indexed)


def _let_registration_id_be_empty(*, nullable: bool) -> None:
    # SQLite makes the table anew for that; nothing refers to it.
    with op.batch_alter_table("audit_entries") as batch:
        batch.alter_column(
            "registration_id",
            existing_type=sa.Uuid(),
            nullable=nullable,
            comment="No foreign key: the registration may be gone",
        )


def downgrade() -> None:
    op.execute("DELETE FROM audit_entries WHERE registration_id IS NULL")
    _let_registration_id_be_empty(nullable=False)
    op.drop_index("ix_subscriptions_merged", "subscriptions")
    op.drop_index("ix_subscriptions_changed_at_id", "subscriptions")
    for table, column in COLUMNS:
        op.drop_column(table, column().name)
    for table in ("api_tokens", "invitations", "accounts", "outbox"):
        op.drop_table(table)

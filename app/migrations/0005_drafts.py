"""Adds the drafts that do not fit a cookie."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "drafts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "purchase_digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the secret of the purchase's form"
        ),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="The answers by field, encrypted"),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_drafts"),
    )
    for indexed in ("purchase_digest", "expires_at"):
        op.create_index(f"ix_drafts_{indexed}", "drafts", [indexed])


def downgrade() -> None:
    op.drop_table("drafts")

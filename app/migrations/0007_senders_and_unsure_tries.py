"""Remembers which browser sent a registration, and tries of a hand-off after which the product may have an account."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("registrations", sa.Column("sent_by", sa.LargeBinary(), comment="SHA-256 of what tells the session"))
    comment = "Tries that the product may have taken without a reply"
    op.add_column(
        "outbox", sa.Column("unsure_tries", sa.Integer(), server_default="0", nullable=False, comment=comment)
    )


def downgrade() -> None:
    op.drop_column("outbox", "unsure_tries")
    op.drop_column("registrations", "sent_by")

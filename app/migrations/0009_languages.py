"""Remembers in which language a buyer registered, and in which one a colleague was invited."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "BCP 47, of the form and the mails; None: English"
    op.add_column("registrations", sa.Column("language", sa.String(35), comment=comment))
    comment = "BCP 47, of the inviter's page; None: English"
    op.add_column("invitations", sa.Column("language", sa.String(35), comment=comment))


def downgrade() -> None:
    op.drop_column("invitations", "language")
    op.drop_column("registrations", "language")

"""Stores the answers to a product's own questions."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Without a default, so that no row is written: None is like no answers.
    comment = "To the product's own questions, each with the question as it was asked"
    op.add_column("registrations", sa.Column("answers", sa.JSON(none_as_null=True), comment=comment))


def downgrade() -> None:
    op.drop_column("registrations", "answers")

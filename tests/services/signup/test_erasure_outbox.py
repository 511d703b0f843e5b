"""An erasure removes the person from the outbox and the invitations, and later hand-offs still go out."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from pydantic import TypeAdapter
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


def register_person(app: Flask) -> UUID:
    """Store a person in every table that has personal data; return the subscription's id.

    Of the hand-offs one is delivered, one has failed and three wait; of the mails one is delivered and three wait.
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
    invitation = {"subscription_id": subscription_id, "created_at": NOW, "expires_at": NOW + timedelta(days=7)}
    invitation["email"] = "marked@example.org"
    run_transaction(app, lambda connection: connection.execute(insert(Invitation), [invitation]))
    return subscription_id


def erase(app: Flask, subscription_id: UUID) -> None:
    registration_id = registration_id_of(app, subscription_id)
    with app.app_context():
        erasure.erase(registration_id, "operator:alice")


def message_columns(app: Flask) -> dict[UUID, tuple[str, int | None, int]]:
    return {message.id: (message.type, message.sequence, message.tries) for message in all_rows(app, OutboxMessage)}


@pytest.mark.parametrize("trigger", ["request", "retention"])
def test_erasure_removes_the_person_and_keeps_every_message(app: Flask, trigger: str) -> None:
    subscription_id = register_person(app)
    before = dump_tables(app)
    messages = message_columns(app)

    if trigger == "request":
        erase(app, subscription_id)
    else:
        run_transaction(app, lambda connection: connection.execute(update(Subscription).values(status_since=LONG_AGO)))
        with app.app_context():
            assert erasure.erase_expired(30, NOW + timedelta(days=400)) == 1

    after = dump_tables(app)
    tables_with_person = {name for name, rows in before.items() if "marked" in str(rows).lower()}
    assert tables_with_person == {"registrations", "outbox", "invitations"}
    assert "marked" not in str(after).lower()
    assert message_columns(app) == messages
    actions = [entry.action for entry in audit_entries(app)]
    assert actions == ["registration.completed", *["registration.updated"] * 2, "registration.erased"]
    assert {entry.subscription_id for entry in audit_entries(app)} == {subscription_id}


def test_erasure_cancels_registration_messages_and_redacts_others(app: Flask) -> None:
    subscription_id = register_person(app)
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
        handoff = TypeAdapter(payload.Handoff).validate_json(json.dumps(message.payload))
        assert (message.type, handoff.data.registration) == (expected, None)
        assert handoff.data.account.existing_account is None
        settle_message(app, message)
    assert claim_next(app) is None
    assert [mail.outcome for mail in mail_messages(app)] == [
        "delivered",
        *["cancelled"] * (len(mail_messages(app)) - 1),
    ]
    assert claim_next(app, queue.MAIL_LANE) is None


def test_erasure_cancels_the_first_handoff_and_releases_the_next(app: Flask) -> None:
    subscription_id = register_customer(app)
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))

    erase(app, subscription_id)

    assert [(message.outcome, bool(message.next_try_at)) for message in handoff_messages(app)] == [
        ("cancelled", False),
        ("waiting", True),
    ]


def test_handoff_erased_during_its_send_stays_cancelled(app: Flask) -> None:
    subscription_id = register_customer(app)
    claimed = claim_due(app)

    erase(app, subscription_id)
    settled = settle_message(app, claimed)
    with app.app_context():
        queue.reschedule(claimed, 0, "503")

    assert settled is None
    assert [message.outcome for message in handoff_messages(app)] == ["cancelled"]
    assert claim_next(app, days=1) is None


def test_erasure_leaves_messages_about_other_people_alone(app: Flask) -> None:
    subscription_id = register_person(app)
    other_id = register_customer(
        app, {"license_arn": "arn:aws:license-manager::1:license:l-other", "agreement_id": "agmt-other"}
    )

    erase(app, subscription_id)

    messages = [message for message in all_rows(app, OutboxMessage) if message.subscription_id == other_id]
    assert {message.outcome for message in messages} == {"waiting"}
    assert messages[0].payload["data"]["registration"]["full_name"] == "Ada Lovelace"


@on_sqlite
def test_resume_mail_is_cancelled_by_an_erasure(app: Flask) -> None:
    registration_id = insert_pending_registration(app, settled_at=NOW)
    with app.app_context():
        mail = queue.new_mail("buyer_resume", registration_id=registration_id)
    run_transaction(app, lambda connection: queue.enqueue(connection, [mail]))

    with app.app_context():
        erasure.erase(registration_id, "operator:alice")

    assert [mail.outcome for mail in mail_messages(app)] == ["cancelled"]
    assert "marked" not in str(dump_tables(app)).lower()

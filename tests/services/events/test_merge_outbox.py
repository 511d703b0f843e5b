"""The outbox of two subscriptions that are merged, and what else moves to the one that remains."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Connection, insert

from app.models import Account, Invitation, OutboxMessage, Registration, Subscription
from app.services.events import merge
from app.services.outbox import queue
from tests.support import factories, outbox_messages
from tests.support.clock import time_passes
from tests.support.outbox_messages import (
    claim_due,
    claim_next,
    handoff_messages,
    mail_messages,
    register_customer,
    settle_message,
)
from tests.support.personal_data import run_transaction
from tests.support.stored_rows import all_rows

ARN = "arn:aws:license-manager::294406891311:license:l-"
TARGET, SOURCE = {"license_arn": f"{ARN}target"}, {"license_arn": f"{ARN}source"}
COMPLETED, UPDATED = "registration.completed", "registration.updated"


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return factories.enable_handoffs_and_mail(environment)


def merge_subscriptions(app: Flask, target_id: UUID, source_id: UUID) -> None:
    run_transaction(app, lambda connection: merge.merge(connection, target_id, source_id))


def add(app: Flask, model: type[Account | Invitation], **values: Any) -> None:
    def work(connection: Connection) -> None:
        connection.execute(insert(model).values(**values))

    run_transaction(app, work)


def handoff_states(app: Flask) -> list[tuple[int | None, str, bool]]:
    """Return each hand-off's sequence and outcome, and whether it has a time for its next try."""
    return [(message.sequence, message.outcome, bool(message.next_try_at)) for message in handoff_messages(app)]


def register_two(app: Flask) -> tuple[UUID, UUID]:
    """Return two subscriptions, each with a hand-off delivered, one claimed, and one behind it."""
    for customer in (TARGET, SOURCE):
        for phone in ("1", "2", "3"):
            subscription_id = register_customer(app, customer, phone=f"+1 555 010 000{phone}")
        settle_message(app, claim_due(app))
        assert claim_due(app).subscription_id == subscription_id
    target_id, source_id = (subscription.id for subscription in all_rows(app, Subscription))
    return target_id, source_id


def test_merge_puts_hand_offs_in_one_order_and_announces_itself(app: Flask) -> None:
    target_id, source_id = register_two(app)
    before = {message.id: (message.subscription_id, message.sequence) for message in handoff_messages(app)}

    merge_subscriptions(app, target_id, source_id)

    messages = handoff_messages(app)
    assert handoff_states(app) == [
        (1, "delivered", False),
        (2, "waiting", True),
        (3, "waiting", False),
        (4, "delivered", False),
        (5, "waiting", False),
        (6, "waiting", False),
        (7, "waiting", False),
    ]
    assert {message.subscription_id for message in messages} == {target_id}
    assert [before.get(message.id) for message in messages] == [
        *((target_id, sequence) for sequence in (1, 2, 3)),
        *((source_id, sequence) for sequence in (1, 2, 3)),
        None,
    ]
    payload = messages[-1].payload["data"]
    assert (messages[-1].type, payload["sequence"]) == (UPDATED, 7)
    assert (payload["subscription"]["id"], payload["subscription"]["former_ids"]) == (str(target_id), [str(source_id)])


def test_handoff_claimed_before_a_merge_settles_for_the_target(app: Flask) -> None:
    register_customer(app, TARGET)
    source_id = register_customer(app, SOURCE)
    for_target, for_source = claim_due(app), claim_due(app)
    target_id = for_target.subscription_id
    assert target_id
    merge_subscriptions(app, target_id, source_id)

    assert settle_message(app, for_source) == target_id
    assert handoff_states(app) == [(1, "waiting", True), (2, "delivered", False), (3, "waiting", False)]
    settle_message(app, for_target)

    assert handoff_states(app)[-1] == (3, "waiting", True)


def test_failed_hand_off_of_the_source_waits_for_those_of_the_target(app: Flask) -> None:
    target_id, source_id = register_customer(app, TARGET), register_customer(app, SOURCE)
    for_target, for_source = claim_due(app), claim_due(app)
    merge_subscriptions(app, target_id, source_id)

    with app.app_context():
        queue.reschedule(for_source, 0, "503")

    assert claim_next(app) is None
    settle_message(app, for_target)
    assert claim_due(app).id == for_source.id


def test_retry_window_of_a_merged_hand_off_starts_when_it_is_due(app: Flask) -> None:
    target_id, source_id = register_customer(app, TARGET), register_customer(app, SOURCE)
    merge_subscriptions(app, target_id, source_id)

    with time_passes(days=4):
        settle_message(app, claim_due(app))
        second = claim_due(app)
        assert datetime.now(UTC) - second.due_since < timedelta(minutes=1)


def test_hand_offs_of_both_name_the_remaining_registration(app: Flask) -> None:
    target_id, source_id = (
        register_customer(app, TARGET, company="Older"),
        register_customer(app, SOURCE, company="Newer"),
    )

    merge_subscriptions(app, target_id, source_id)

    (registration,) = all_rows(app, Registration)
    assert registration.company == "Newer"
    assert {message.registration_id for message in all_rows(app, OutboxMessage) if message.type != "seller_ended"} == {
        registration.id
    }
    assert {message.subscription_id for message in mail_messages(app)} == {target_id}


@pytest.mark.parametrize("owner", ["target", "source", "both"])
def test_account_of_either_subscription_is_kept(app: Flask, owner: str) -> None:
    ids = {"target": register_customer(app, TARGET), "source": register_customer(app, SOURCE)}
    for name, subscription_id in ids.items():
        if owner in {name, "both"}:
            add(app, Account, subscription_id=subscription_id, reference=name, answered_at=outbox_messages.NOW)

    merge_subscriptions(app, ids["target"], ids["source"])

    (account,) = all_rows(app, Account)
    assert (account.subscription_id, account.reference) == (ids["target"], "source" if owner == "source" else "target")
    assert handoff_messages(app)[-1].payload["data"]["account"]["reference"] == account.reference


def test_invitations_and_account_requests_move_to_the_target(app: Flask) -> None:
    target_id, source_id = register_customer(app, TARGET), register_customer(app, SOURCE)
    third_id = register_customer(app, {"license_arn": f"{ARN}third"}, account=str(source_id))
    add(
        app,
        Invitation,
        subscription_id=source_id,
        email="b@example.com",
        created_at=outbox_messages.NOW,
        expires_at=outbox_messages.NOW,
    )

    merge_subscriptions(app, target_id, source_id)

    assert [invitation.subscription_id for invitation in all_rows(app, Invitation)] == [target_id]
    account_requests = {
        registration.subscription_id: registration.account for registration in all_rows(app, Registration)
    }
    assert account_requests == {target_id: "new", third_id: str(target_id)}


def test_merge_without_registrations_announces_nothing(app: Flask) -> None:
    target_id, source_id = register_customer(app, TARGET), register_customer(app, SOURCE)
    run_transaction(app, lambda connection: connection.exec_driver_sql("DELETE FROM registrations"))

    merge_subscriptions(app, target_id, source_id)

    assert [message.type for message in handoff_messages(app)] == [COMPLETED, COMPLETED]

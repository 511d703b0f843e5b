"""What was promised for two subscriptions that are one, and for a registration whose purchase was unknown."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Connection, insert

from app.models import Account, Invitation, OutboxMessage, PendingToken, Registration, Subscription
from app.services.events import merge as events_merge
from app.services.outbox import queue
from app.services.purchases.purchase import Pending, UnverifiedFields
from app.services.signup import pending_tokens, registrations, retry_pending
from sandbox.server import Sandbox
from tests.support import factories, outbox_messages
from tests.support.databases import on_sqlite
from tests.support.outbox_messages import (
    claim_due,
    claim_next,
    handoff_messages,
    mail_messages,
    register_customer,
    registration_id_of,
    settle_message,
    time_passes,
)
from tests.support.personal_data import run_transaction
from tests.support.stored_rows import all_rows

ARN = "arn:aws:license-manager::294406891311:license:l-"
KEPT, GONE = {"license_arn": f"{ARN}kept"}, {"license_arn": f"{ARN}gone"}
COMPLETED, UPDATED = "registration.completed", "registration.updated"


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return factories.enable_handoffs_and_mail(environment)


def merge_subscriptions(app: Flask, kept: UUID, gone: UUID) -> None:
    run_transaction(app, lambda connection: events_merge.merge(connection, kept, gone))


def add(app: Flask, model: type[Account | Invitation], **values: Any) -> None:
    def work(connection: Connection) -> None:
        connection.execute(insert(model).values(**values))

    run_transaction(app, work)


def line(app: Flask) -> list[tuple[int | None, str, bool]]:
    """Return the hand-offs: their places, outcomes, and whether it is their turn."""
    return [(message.sequence, message.outcome, bool(message.next_try_at)) for message in handoff_messages(app)]


def two(app: Flask) -> tuple[UUID, UUID]:
    """Return two subscriptions, each with one hand-off delivered, one under way and one that waits its turn."""
    for customer in (KEPT, GONE):
        for phone in ("1", "2", "3"):
            its_id = register_customer(app, customer, phone=f"+1 555 010 000{phone}")
        settle_message(app, claim_due(app))
        assert claim_due(app).subscription_id == its_id
    kept, gone = (subscription.id for subscription in all_rows(app, Subscription))
    return kept, gone


def test_two_lines_become_one_in_order_with_one_turn_and_the_product_is_told(app: Flask) -> None:
    kept, gone = two(app)
    before = {message.id: (message.subscription_id, message.sequence) for message in handoff_messages(app)}

    merge_subscriptions(app, kept, gone)

    messages = handoff_messages(app)
    assert line(app) == [
        (1, "delivered", False),
        (2, "waiting", True),
        (3, "waiting", False),
        (4, "delivered", False),
        (5, "waiting", False),
        (6, "waiting", False),
        (7, "waiting", False),
    ]
    assert {message.subscription_id for message in messages} == {kept}
    assert [before.get(message.id) for message in messages] == [
        *((kept, sequence) for sequence in (1, 2, 3)),
        *((gone, sequence) for sequence in (1, 2, 3)),
        None,
    ]
    told = messages[-1].payload["data"]
    assert (messages[-1].type, told["sequence"]) == (UPDATED, 7)
    assert (told["subscription"]["id"], told["subscription"]["former_ids"]) == (str(kept), [str(gone)])


def test_what_was_under_way_for_the_one_that_is_gone_is_settled_for_the_one_that_stays(app: Flask) -> None:
    register_customer(app, KEPT)
    gone = register_customer(app, GONE)
    for_kept, for_gone = claim_due(app), claim_due(app)
    kept = for_kept.subscription_id
    assert kept
    merge_subscriptions(app, kept, gone)

    assert settle_message(app, for_gone) == kept
    assert line(app) == [(1, "waiting", True), (2, "delivered", False), (3, "waiting", False)]
    settle_message(app, for_kept)

    assert line(app)[-1] == (3, "waiting", True)


def test_what_the_product_did_not_take_for_the_one_that_is_gone_waits_in_the_line(app: Flask) -> None:
    kept, gone = register_customer(app, KEPT), register_customer(app, GONE)
    for_kept, for_gone = claim_due(app), claim_due(app)
    merge_subscriptions(app, kept, gone)

    with app.app_context():
        queue.set_next_try(for_gone, datetime.now(UTC), "503")

    assert claim_next(app) is None
    settle_message(app, for_kept)
    assert claim_due(app).id == for_gone.id


def test_what_a_merged_one_waited_before_its_turn_came_does_not_count(app: Flask) -> None:
    kept, gone = register_customer(app, KEPT), register_customer(app, GONE)
    merge_subscriptions(app, kept, gone)

    with time_passes(days=4):
        settle_message(app, claim_due(app))
        second = claim_due(app)
        assert datetime.now(UTC) - second.due_since < timedelta(minutes=1)


def test_hand_offs_of_both_are_found_by_the_one_registration_that_is_left(app: Flask) -> None:
    kept, gone = register_customer(app, KEPT, company="Older"), register_customer(app, GONE, company="Newer")

    merge_subscriptions(app, kept, gone)

    (registration,) = all_rows(app, Registration)
    assert registration.company == "Newer"
    assert {message.registration_id for message in all_rows(app, OutboxMessage) if message.type != "seller_ended"} == {
        registration.id
    }
    assert {message.subscription_id for message in mail_messages(app)} == {kept}


@pytest.mark.parametrize("has", ["kept", "gone", "both"])
def test_the_account_that_the_product_made_is_kept(app: Flask, has: str) -> None:
    ids = {"kept": register_customer(app, KEPT), "gone": register_customer(app, GONE)}
    for name, its_id in ids.items():
        if has in {name, "both"}:
            add(app, Account, subscription_id=its_id, reference=name, answered_at=outbox_messages.NOW)

    merge_subscriptions(app, ids["kept"], ids["gone"])

    (account,) = all_rows(app, Account)
    assert (account.subscription_id, account.reference) == (ids["kept"], "gone" if has == "gone" else "kept")
    assert handoff_messages(app)[-1].payload["data"]["account"]["reference"] == account.reference


def test_invitations_and_those_who_asked_for_its_account_follow(app: Flask) -> None:
    kept, gone = register_customer(app, KEPT), register_customer(app, GONE)
    third = register_customer(app, {"license_arn": f"{ARN}third"}, account=str(gone))
    add(
        app,
        Invitation,
        subscription_id=gone,
        email="b@example.com",
        created_at=outbox_messages.NOW,
        expires_at=outbox_messages.NOW,
    )

    merge_subscriptions(app, kept, gone)

    assert [invitation.subscription_id for invitation in all_rows(app, Invitation)] == [kept]
    wishes = {registration.subscription_id: registration.account for registration in all_rows(app, Registration)}
    assert wishes == {kept: "new", third: str(kept)}


def test_two_that_nobody_registered_for_are_merged_without_a_word(app: Flask) -> None:
    kept, gone = register_customer(app, KEPT), register_customer(app, GONE)
    run_transaction(app, lambda connection: connection.exec_driver_sql("DELETE FROM registrations"))

    merge_subscriptions(app, kept, gone)

    assert [message.type for message in handoff_messages(app)] == [COMPLETED, COMPLETED]


@pytest.fixture
def pending_token(app: Flask, sandbox: Sandbox) -> Pending:
    """A purchase whose buyer has registered while AWS was down."""
    with app.app_context():
        parked = pending_tokens.store(factories.token(sandbox), UnverifiedFields())
        registrations.complete(parked, factories.answers())
    return parked


def link(app: Flask, **passed: int) -> None:
    with app.app_context(), time_passes(**passed):
        retry_pending.resolve_next()


def switch(sandbox: Sandbox, **faults: object) -> None:
    sandbox.marketplace.faults = sandbox.marketplace.faults.model_copy(update=faults)


def test_who_registered_while_aws_was_down_is_told_of_once_the_purchase_is_known(
    app: Flask, sandbox: Sandbox, pending_token: Pending
) -> None:
    switch(sandbox, aws_down=True)
    link(app, minutes=1)
    assert all_rows(app, OutboxMessage) == []
    switch(sandbox, aws_down=False)

    link(app, minutes=10)

    (message,) = handoff_messages(app)
    (subscription,) = all_rows(app, Subscription)
    assert (message.type, message.subscription_id) == (COMPLETED, subscription.id)
    assert message.registration_id == registration_id_of(app, subscription.id)
    assert message.payload["data"]["registration"]["email"] == factories.ANSWERS["email"]
    assert [mail.type for mail in mail_messages(app)] == ["buyer_registered", "seller_registered"]


def test_a_registration_that_finds_another_of_its_purchase_is_an_update(
    app: Flask, sandbox: Sandbox, pending_token: Pending
) -> None:
    link(app, minutes=1)
    (purchase,) = all_rows(app, Subscription)
    with app.app_context():
        again = pending_tokens.store(
            sandbox.marketplace.mint_token(sandbox.marketplace.purchases[0]), UnverifiedFields()
        )
        registrations.complete(again, factories.answers(company="Newer"))

    link(app, minutes=1)

    assert [(message.type, message.subscription_id) for message in handoff_messages(app)] == [
        (COMPLETED, purchase.id),
        (UPDATED, purchase.id),
    ]
    assert handoff_messages(app)[1].payload["data"]["registration"]["company"] == "Newer"


@on_sqlite
@pytest.mark.parametrize(("fault", "passed"), [("expired", {"minutes": 1}), ("aws_down", {"hours": 5})])
def test_whose_token_dies_is_sent_a_way_back(
    app: Flask, sandbox: Sandbox, pending_token: Pending, fault: str, passed: dict[str, int]
) -> None:
    switch(sandbox, **{fault: True})

    link(app, **passed)

    assert [token.sealed for token in all_rows(app, PendingToken)] == [None]
    (message,) = all_rows(app, OutboxMessage)
    (registration,) = all_rows(app, Registration)
    assert (message.type, message.registration_id) == ("buyer_resume", registration.id)
    assert message.subscription_id is None


@on_sqlite
def test_who_bought_a_product_that_is_not_ours_is_sent_nothing(app: Flask, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(factories.order(product_code=factories.OTHER_PRODUCT_CODE))
    with app.app_context():
        parked = pending_tokens.store(sandbox.marketplace.mint_token(purchase, timedelta(days=1)), UnverifiedFields())
        registrations.complete(parked, factories.answers())
    for hours in range(5):
        link(app, hours=hours, minutes=5)

    assert [(token.sealed, token.fault) for token in all_rows(app, PendingToken)] == [(None, "UnknownProduct")]
    assert all_rows(app, OutboxMessage) == []


@on_sqlite
def test_a_token_that_nobody_registered_for_dies_without_a_mail(app: Flask, sandbox: Sandbox) -> None:
    with app.app_context():
        pending_tokens.store(factories.token(sandbox), UnverifiedFields())
    switch(sandbox, expired=True)

    link(app, minutes=1)

    assert [token.fault for token in all_rows(app, PendingToken)] == ["ExpiredToken"]
    assert all_rows(app, OutboxMessage) == []

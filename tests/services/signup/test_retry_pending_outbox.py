"""The outbox of a registration whose purchase AWS resolves later, or never."""

from datetime import timedelta

import pytest
from flask import Flask

from app.models import OutboxMessage, PendingToken, Registration, Subscription
from app.services.purchases.purchase import Pending, UnverifiedFields
from app.services.signup import pending_tokens
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.outbox_messages import handoff_messages, mail_messages, registration_id_of
from tests.support.pending_purchases import register_before_purchase, resolve_pending
from tests.support.stored_rows import all_rows

COMPLETED, UPDATED = "registration.completed", "registration.updated"


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return factories.enable_handoffs_and_mail(environment)


@pytest.fixture
def pending_token(app: Flask, sandbox: Sandbox) -> Pending:
    """A purchase whose buyer has registered while AWS was down."""
    return register_before_purchase(app, factories.token(sandbox))[0]


def test_registration_is_announced_once_its_token_is_resolved(
    app: Flask, sandbox: Sandbox, pending_token: Pending
) -> None:
    sandbox.marketplace.change_faults(aws_down=True)
    resolve_pending(app, minutes=1)
    assert all_rows(app, OutboxMessage) == []
    sandbox.marketplace.change_faults(aws_down=False)

    resolve_pending(app, minutes=10)

    (message,) = handoff_messages(app)
    (subscription,) = all_rows(app, Subscription)
    assert (message.type, message.subscription_id) == (COMPLETED, subscription.id)
    assert message.registration_id == registration_id_of(app, subscription.id)
    assert message.payload["data"]["registration"]["email"] == factories.ANSWERS["email"]
    assert [mail.type for mail in mail_messages(app)] == ["buyer_registered", "seller_registered"]


def test_second_registration_of_a_purchase_is_an_update(app: Flask, sandbox: Sandbox, pending_token: Pending) -> None:
    resolve_pending(app, minutes=1)
    (subscription,) = all_rows(app, Subscription)
    register_before_purchase(app, sandbox.marketplace.mint_token(sandbox.marketplace.purchases[0]), company="Newer")

    resolve_pending(app, minutes=1)

    assert [(message.type, message.subscription_id) for message in handoff_messages(app)] == [
        (COMPLETED, subscription.id),
        (UPDATED, subscription.id),
    ]
    assert handoff_messages(app)[1].payload["data"]["registration"]["company"] == "Newer"


@on_sqlite
@pytest.mark.parametrize(("fault", "passed"), [("expired", {"minutes": 1}), ("aws_down", {"hours": 5})])
def test_buyer_whose_token_is_given_up_gets_a_resume_mail(
    app: Flask, sandbox: Sandbox, pending_token: Pending, fault: str, passed: dict[str, int]
) -> None:
    sandbox.marketplace.change_faults(**{fault: True})

    resolve_pending(app, **passed)

    assert [token.sealed for token in all_rows(app, PendingToken)] == [None]
    (message,) = all_rows(app, OutboxMessage)
    (registration,) = all_rows(app, Registration)
    assert (message.type, message.registration_id) == ("buyer_resume", registration.id)
    assert message.subscription_id is None


@on_sqlite
def test_buyer_of_an_unknown_product_is_sent_nothing(app: Flask, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(factories.order(product_code=factories.OTHER_PRODUCT_CODE))
    register_before_purchase(app, sandbox.marketplace.mint_token(purchase, timedelta(days=1)))
    for hours in range(5):
        resolve_pending(app, hours=hours, minutes=5)

    assert [(token.sealed, token.fault) for token in all_rows(app, PendingToken)] == [(None, "UnknownProduct")]
    assert all_rows(app, OutboxMessage) == []


@on_sqlite
def test_token_without_registration_is_given_up_without_mail(app: Flask, sandbox: Sandbox) -> None:
    with app.app_context():
        pending_tokens.store(factories.token(sandbox), UnverifiedFields())
    sandbox.marketplace.change_faults(expired=True)

    resolve_pending(app, minutes=1)

    assert [token.fault for token in all_rows(app, PendingToken)] == ["ExpiredToken"]
    assert all_rows(app, OutboxMessage) == []

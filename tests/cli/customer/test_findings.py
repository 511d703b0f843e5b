"""foyer customer: what is wrong for a customer now, and the command that mends it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import delete, update

from app.database import transactions
from app.models import OutboxMessage, PendingToken, Registration
from app.services.outbox import bounces, queue
from app.services.outbox.bounces import Bounce
from app.services.signup import erasure
from tests.cli.command_output import apply_events
from tests.cli.conftest import CreateSubscription
from tests.cli.customer.customer_output import findings, show, store_without_purchase
from tests.support.aws_events import LICENSE_UPDATED, eventbridge_event, minutes_after_noon
from tests.support.factories import PRODUCT_CODE
from tests.support.outbox_messages import (
    claim_due,
    handoff_messages,
    mail_messages,
    receive_license_event,
    settle_message,
)
from tests.support.stored_rows import all_rows


def test_customer_without_trouble_has_nothing_wrong(app: Flask, runner: FlaskCliRunner, subscription_id: UUID) -> None:
    receive_license_event(app, LICENSE_UPDATED, datetime.now(UTC))

    assert findings(runner, str(subscription_id)) == []
    assert runner.invoke(args=["customer", str(subscription_id)]).stdout.endswith("What is wrong now\n  Nothing.\n")


def test_handoff_that_failed_is_wrong_until_a_later_one_is_delivered(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    settle_message(app, claim_due(app), "delivered")
    receive_license_event(app, LICENSE_UPDATED, datetime.now(UTC))
    settle_message(app, claim_due(app), "failed", fault="503")
    failed = next(message for message in handoff_messages(app) if message.outcome == "failed")
    who = "marie@example.com" if failed.subscription_id != subscription_id else "ada@gmail.com"

    assert ("FAIL", f"handoffs retry {failed.id}") in findings(runner, who)
    assert runner.invoke(args=["handoffs", "retry", str(failed.id)]).exit_code == 0
    assert "FAIL" not in [level for level, _ in findings(runner, who)]


def test_mail_that_came_back_or_failed_can_be_sent_again(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    receive_license_event(app, LICENSE_UPDATED, datetime.now(UTC))
    own = {mail.type: str(mail.id) for mail in mail_messages(app) if mail.subscription_id == subscription_id}
    for mail in mail_messages(app):
        outcome = "failed" if mail.type == "seller_registered" else "delivered"
        settle_message(app, claim_due(app, queue.MAIL_LANE), outcome, provider_id=str(mail.id))
    bounced = own["buyer_registered"]
    detail = {"mail": {"messageId": bounced}, "bounce": {"bounceType": "Permanent"}}
    event = {"source": "aws.ses", "detail-type": "Email Bounced", "detail": detail, "time": datetime.now(UTC)}
    with app.app_context():
        bounces.record(Bounce.model_validate(event))

    assert findings(runner, str(subscription_id)) == [
        ("FAIL", f"mails retry {bounced}"),
        ("FAIL", f"mails retry {own['seller_registered']}"),
    ]


def test_refused_account_and_missing_handoff_are_wrong(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    receive_license_event(app, LICENSE_UPDATED, datetime.now(UTC))
    with app.app_context():
        transactions.write(lambda connection: connection.execute(delete(OutboxMessage)))

    assert findings(runner, str(subscription_id)) == [("FAIL", f"handoffs catch-up --product {PRODUCT_CODE}")]


def test_pending_and_given_up_tokens_say_what_to_do(app: Flask, runner: FlaskCliRunner) -> None:
    registration_id = store_without_purchase(app)
    (token,) = all_rows(app, PendingToken)

    assert show(runner, "Pending GmbH")["registration"]["id"] == str(registration_id)
    assert findings(runner, str(token.id)) == [("warn", "doctor")]
    gone = update(PendingToken).values(
        sealed=None, next_try_at=None, settled_at=datetime.now(UTC), fault="ExpiredToken"
    )
    with app.app_context():
        transactions.write(lambda connection: connection.execute(gone))
    assert findings(runner, str(token.id)) == [("FAIL", f"registrations resume-link {registration_id}")]


def test_customer_who_never_came_and_one_who_was_erased_are_explained(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    apply_events(app, eventbridge_event(LICENSE_UPDATED, minutes_after_noon(1), license="l-9", agreement="agmt-9"))
    (registration,) = [row for row in all_rows(app, Registration) if row.subscription_id == subscription_id]
    with app.app_context():
        erasure.erase(registration.id, "operator:alice")

    assert "never pressed" in runner.invoke(args=["customer", "agmt-9"]).stdout
    erased = runner.invoke(args=["customer", str(registration.id)]).stdout
    assert "the registration was erased by operator:alice" in erased
    assert "Ada" not in erased


def test_buyer_who_landed_and_sent_no_form_is_explained(
    runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    create_subscription()

    assert "has not sent the sign-up form yet" in runner.invoke(args=["customer", "012345678901"]).stdout


def test_waiting_message_that_nobody_sends_is_wrong(app: Flask, runner: FlaskCliRunner, subscription_id: UUID) -> None:
    receive_license_event(app, LICENSE_UPDATED, datetime.now(UTC))
    overdue = update(OutboxMessage).where(OutboxMessage.next_try_at.is_not(None))
    with app.app_context():
        moment = datetime.now(UTC) - timedelta(minutes=5)
        transactions.write(lambda connection: connection.execute(overdue.values(next_try_at=moment)))

    assert set(findings(runner, str(subscription_id))) == {("FAIL", "status")}

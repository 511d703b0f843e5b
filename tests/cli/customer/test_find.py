"""foyer customer: one customer by whatever is known of them, in time's order."""

import json
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import insert, update

from app.database import transactions
from app.models import Account, Invitation, OutboxMessage, Registration, Subscription
from app.observability import references
from app.security import form_secrets
from app.services.purchases import drafts
from app.services.signup import invitations
from tests.cli.command_output import apply_events
from tests.cli.customer.customer_output import show, store_without_purchase
from tests.support.aws_events import LICENSE_UPDATED, eventbridge_event, minutes_after_noon
from tests.support.outbox_messages import (
    claim_due,
    register_customer,
    settle_message,
)
from tests.support.stored_rows import all_rows


@pytest.mark.parametrize(
    "who",
    [
        ["012345678901"],
        ["0123-4567-8901"],
        ["agmt-4mwg1nevbokzw95eca5797ixs"],
        ["l-0123456789abcdef"],
        ["Juniper & Lark"],
        ["juniper", "&", "LARK"],
        ["lovelace"],
        ["ada@gmail.com"],
        ["@GMAIL"],
        ["555) 010"],
        ["after ten"],
    ],
)
def test_customer_is_found_by_what_is_known_of_them(
    runner: FlaskCliRunner, subscription_id: UUID, who: list[str]
) -> None:
    assert show(runner, *who)["purchase"]["id"] == str(subscription_id)


def test_customer_is_found_by_every_id_that_belongs_to_them(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    with app.app_context():
        invitations.invite(subscription_id, "colleague@example.com", "buyer")
        values = {"subscription_id": subscription_id, "reference": "juniper-7", "answered_at": datetime.now(UTC)}
        transactions.write(lambda connection: connection.execute(insert(Account), values))
    (event_id,) = apply_events(app, eventbridge_event(LICENSE_UPDATED, minutes_after_noon(1)))
    ids = [
        *(str(row.id) for row in all_rows(app, OutboxMessage) if row.subscription_id == subscription_id),
        *(str(row.id) for row in all_rows(app, Registration) if row.subscription_id == subscription_id),
        *(str(row.id) for row in all_rows(app, Invitation)),
    ]

    found = [show(runner, who) for who in [*ids, str(event_id), f"msg_{ids[0]}", "juniper-7", "colleague@"]]
    # Ids of one millisecond, whatever they belong to, have their first 24 characters in common.
    by_beginning = show(runner, str(subscription_id)[:30])

    assert len(ids) > 4
    assert {file["purchase"]["id"] for file in [*found, by_beginning]} == {str(subscription_id)}


def test_former_answers_and_the_merged_id_lead_to_the_customer(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    former_id = "01a20686-2de5-73fe-a873-6ff2af26fc4a"
    with app.app_context():
        change = update(Subscription).where(Subscription.id == subscription_id).values(former_ids=[former_id])
        transactions.write(lambda connection: connection.execute(change))
    register_customer(app, full_name="Grace Hopper", email="grace@example.com")

    assert show(runner, "lovelace")["registration"] is None
    assert [show(runner, who)["purchase"]["full_name"] for who in ("lovelace", former_id)] == ["Grace Hopper"] * 2


def test_several_customers_are_listed_to_choose_from(runner: FlaskCliRunner, subscription_id: UUID) -> None:
    result = runner.invoke(args=["customer", "example.com"])
    several = runner.invoke(args=["customer", "ar"])

    assert "Quillfeather" in result.stdout
    assert "What happened" in result.stdout
    assert [company in several.stdout for company in ("Quillfeather", "Juniper")] == [True, True]
    assert "What happened" not in several.stdout
    assert "foyer customer ID" in several.stderr
    assert len(json.loads(runner.invoke(args=["customer", "ar", "--json"]).stdout)) == 2


@pytest.mark.parametrize("who", ["nosuch", "999999999999", "01a20686-2de5-73fe-a873-6ff2af26fc4a", "%", "\a\a", " "])
def test_unknown_customer_fails_and_says_what_to_do(runner: FlaskCliRunner, subscription_id: UUID, who: str) -> None:
    result = runner.invoke(args=["customer", who])

    assert (result.exit_code, result.stdout) == (1, "")
    assert "Set up your account" in result.stderr
    assert "\a" not in result.stderr


def test_unsent_form_is_named_where_only_a_draft_matches(app: Flask, runner: FlaskCliRunner) -> None:
    with app.app_context():
        drafts.try_store(form_secrets.current("any"), {"company": "Unsent GmbH", "email": "u@example.com"})

    assert "foyer drafts list --search" in runner.invoke(args=["customer", "unsent"]).stderr
    assert "Unsent GmbH" in runner.invoke(args=["drafts", "list", "--search", "unsent"]).stdout
    assert "drafts list --search" in runner.invoke(args=["registrations", "list", "--search", "unsent"]).stderr


def test_everything_that_happened_is_shown_in_the_order_of_time(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    for _ in range(2):
        settle_message(app, claim_due(app))
    with app.app_context():
        invitations.invite(subscription_id, "colleague@example.com", "buyer")
        drafts.try_store(form_secrets.current("l-0123456789abcdef"), {"company": "Typed"})

    entries = show(runner, str(subscription_id))["timeline"]

    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)
    assert {entry["kind"] for entry in entries} == {
        *("purchase", "landing", "registration", "hand-off", "mail", "invitation", "draft"),
    }
    assert "registration.completed delivered" in [entry["text"] for entry in entries]


def test_reference_of_an_error_page_says_when_it_was_and_who_was_there(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    registration_id = store_without_purchase(app)
    now, before = references.create(), f"{int(time.time()) - 3600:08x}abcd"

    result = runner.invoke(args=["customer", now])
    earlier = runner.invoke(args=["customer", before.upper()])

    assert (result.exit_code, earlier.exit_code) == (0, 0)
    assert f"grep {now} LOG" in result.stderr
    assert [str(id_) in result.stdout for id_ in (subscription_id, registration_id)] == [True, True]
    assert f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%d %H:}" in earlier.stderr
    assert earlier.stdout == ""


def test_reference_without_a_time_says_where_to_look(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["customer", "abcdef012345"])

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith("grep abcdef012345 LOG\n")

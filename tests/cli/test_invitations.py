"""flask invitations: whom purchasers have invited, what became of it, and an operator who takes one back."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskCliRunner

from app.models import AuditEntry, Invitation
from app.services.signup import invitations
from app.services.signup.invitations import Refusal
from tests.cli.conftest import CreateSubscription
from tests.support.databases import on_sqlite
from tests.support.stored_rows import all_rows

pytestmark = on_sqlite

ARN = "arn:aws:license-manager::294406891311:license:l-another"


def invited(app: Flask, subscription_id: UUID, email: str) -> str:
    with app.app_context():
        made = invitations.invite(subscription_id, email, "buyer")
        assert not isinstance(made, Refusal)
        return str(made.id)


def listed(runner: FlaskCliRunner, *options: str) -> list[dict[str, Any]]:
    result = runner.invoke(args=["invitations", "list", "--json", *options])
    assert result.exit_code == 0, result.output
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def test_the_operator_sees_who_is_invited_and_what_became_of_it(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    subscription_id = create_subscription()
    names = ("expired", "accepted", "revoked", "open")
    with time_machine.travel(datetime.now(UTC) - timedelta(days=8)):
        ids = [invited(app, subscription_id, "expired@gmail.com")]
    ids += [invited(app, subscription_id, f"{name}@gmail.com") for name in names[1:]]
    with app.app_context():
        invitations.accept(UUID(ids[1]), b"a browser")
        invitations.revoke(UUID(ids[2]), "buyer")

    rows, table = listed(runner), runner.invoke(args=["invitations", "list"]).stdout

    assert {row["id"]: (row["state"], row["email"]) for row in rows} == {
        invitation_id: (name, f"{name}@gmail.com") for invitation_id, name in zip(ids, names, strict=True)
    }
    assert all(name in table for name in names)
    assert str(subscription_id) in table


def test_only_those_of_one_subscription_are_asked_for(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    wanted, other = create_subscription(), create_subscription(license_arn=ARN, agreement_id="agmt-another")
    invitation_id = invited(app, wanted, "grace@gmail.com")
    invited(app, other, "other@gmail.com")

    assert [row["id"] for row in listed(runner, "--subscription", str(wanted))] == [invitation_id]
    assert len(listed(runner)) == 2


def test_none_is_said_to_be_none(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["invitations", "list"])

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Nothing matches.\n")


def test_what_an_operator_revokes_is_recorded_with_their_name(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    invitation_id = invited(app, create_subscription(), "grace@gmail.com")

    result = runner.invoke(args=["invitations", "revoke", invitation_id, "--by", "alice"])

    assert result.exit_code == 0
    assert f"Invitation {invitation_id} was revoked by operator:alice." in result.stdout
    [invitation] = all_rows(app, Invitation)
    assert invitation.revoked_at
    latest = all_rows(app, AuditEntry)[-1]
    assert (latest.action, latest.actor) == ("invitation.revoked", "operator:alice")


def test_a_second_time_is_no_fault_and_says_when_it_was_done(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    invitation_id = invited(app, create_subscription(), "grace@gmail.com")
    runner.invoke(args=["invitations", "revoke", invitation_id, "--by", "alice"])

    again = runner.invoke(args=["invitations", "revoke", invitation_id, "--by", "bob"])

    assert again.exit_code == 0
    assert "had been revoked at" in again.stdout
    assert [entry.actor for entry in all_rows(app, AuditEntry)] == ["buyer", "operator:alice"]


def test_what_has_expired_needs_no_revoking(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    with time_machine.travel(datetime.now(UTC) - timedelta(days=8)):
        invitation_id = invited(app, create_subscription(), "grace@gmail.com")

    result = runner.invoke(args=["invitations", "revoke", invitation_id])

    assert result.exit_code == 0
    assert "had expired at" in result.stdout


def test_what_was_accepted_cannot_be_taken_back_and_the_operator_hears_where_to_look(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    subscription_id = create_subscription()
    invitation_id = invited(app, subscription_id, "grace@gmail.com")
    with app.app_context():
        invitations.accept(UUID(invitation_id), b"a browser")

    result = runner.invoke(args=["invitations", "revoke", invitation_id])

    assert result.exit_code == 1
    assert "was accepted at" in result.stderr
    assert f"subscriptions show {subscription_id}" in result.stderr


@pytest.mark.parametrize("unknown", ["01a2066f-e5cd-710c-9525-16e12fa5c8ec", "nonsense"])
def test_an_id_that_is_none_says_where_to_look(runner: FlaskCliRunner, unknown: str) -> None:
    result = runner.invoke(args=["invitations", "revoke", unknown])

    assert result.exit_code == 1
    assert "invitations list" in result.stderr

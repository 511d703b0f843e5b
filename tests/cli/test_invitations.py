"""foyer invitations list and revoke."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskCliRunner

from app.models import AuditEntry, Invitation
from app.services.signup import invitations
from app.services.signup.invitations import Refusal
from tests.cli.command_output import list_rows
from tests.cli.conftest import CreateSubscription
from tests.support.databases import on_sqlite
from tests.support.stored_rows import all_rows

pytestmark = on_sqlite

ARN = "arn:aws:license-manager::294406891311:license:l-another"


def invite(app: Flask, subscription_id: UUID, email: str) -> str:
    with app.app_context():
        invitation = invitations.invite(subscription_id, email, "buyer")
        assert not isinstance(invitation, Refusal)
        return str(invitation.id)


def test_invitations_are_listed_with_address_and_state(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    subscription_id = create_subscription()
    states = ("expired", "accepted", "revoked", "open")
    with time_machine.travel(datetime.now(UTC) - timedelta(days=8)):
        ids = [invite(app, subscription_id, "expired@gmail.com")]
    ids += [invite(app, subscription_id, f"{state}@gmail.com") for state in states[1:]]
    with app.app_context():
        invitations.accept(UUID(ids[1]), b"a browser")
        invitations.revoke(UUID(ids[2]), "buyer")

    rows, table = list_rows(runner, "invitations"), runner.invoke(args=["invitations", "list"]).stdout

    assert {row["id"]: (row["state"], row["email"]) for row in rows} == {
        invitation_id: (state, f"{state}@gmail.com") for invitation_id, state in zip(ids, states, strict=True)
    }
    assert all(state in table for state in states)
    assert str(subscription_id) in table


def test_subscription_filter_selects_its_invitations(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    wanted, other = create_subscription(), create_subscription(license_arn=ARN, agreement_id="agmt-another")
    invitation_id = invite(app, wanted, "grace@gmail.com")
    invite(app, other, "other@gmail.com")

    assert [row["id"] for row in list_rows(runner, "invitations", "--subscription", str(wanted))] == [invitation_id]
    assert len(list_rows(runner, "invitations")) == 2


def test_list_without_invitations_says_so(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["invitations", "list"])

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "There are no invitations.\n")


def test_revoked_invitation_is_audited_with_the_operators_name(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    invitation_id = invite(app, create_subscription(), "grace@gmail.com")

    result = runner.invoke(args=["invitations", "revoke", invitation_id, "--by", "alice"])

    assert result.exit_code == 0
    assert f"Invitation {invitation_id} was revoked by operator:alice." in result.stdout
    [invitation] = all_rows(app, Invitation)
    assert invitation.revoked_at
    latest = all_rows(app, AuditEntry)[-1]
    assert (latest.action, latest.actor) == ("invitation.revoked", "operator:alice")


def test_revoking_twice_succeeds_and_says_when_it_was_revoked(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    invitation_id = invite(app, create_subscription(), "grace@gmail.com")
    runner.invoke(args=["invitations", "revoke", invitation_id, "--by", "alice"])

    second = runner.invoke(args=["invitations", "revoke", invitation_id, "--by", "bob"])

    assert second.exit_code == 0
    assert "had already been revoked at" in second.stdout
    assert [entry.actor for entry in all_rows(app, AuditEntry)] == ["buyer", "operator:alice"]


def test_revoking_an_expired_invitation_succeeds_and_says_so(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    with time_machine.travel(datetime.now(UTC) - timedelta(days=8)):
        invitation_id = invite(app, create_subscription(), "grace@gmail.com")

    result = runner.invoke(args=["invitations", "revoke", invitation_id])

    assert result.exit_code == 0
    assert "had already expired at" in result.stdout


def test_accepted_invitation_is_revoked_with_its_session(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    subscription_id = create_subscription()
    invitation_id = invite(app, subscription_id, "grace@gmail.com")
    with app.app_context():
        invitations.accept(UUID(invitation_id), b"a browser")

    result = runner.invoke(args=["invitations", "revoke", invitation_id])

    assert result.exit_code == 0
    assert "That session ends now" in result.stdout
    assert f"subscriptions show {subscription_id}" in result.stdout
    assert list_rows(runner, "invitations")[0]["state"] == "revoked"


@pytest.mark.parametrize("unknown", ["01a2066f-e5cd-710c-9525-16e12fa5c8ec", "nonsense"])
def test_unknown_id_fails_and_points_to_the_list(runner: FlaskCliRunner, unknown: str) -> None:
    result = runner.invoke(args=["invitations", "revoke", unknown])

    assert result.exit_code == 1
    assert "invitations list" in result.stderr

"""Ids by their beginnings, wherever a command takes one."""

from collections.abc import Callable
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from app.cli import tables
from app.models import AuditEntry, Event, Invitation, Model, OutboxMessage, Registration, Subscription
from app.services.signup import erasure, invitations
from tests.cli.command_output import apply_events, list_rows
from tests.cli.conftest import CreateRegistration
from tests.support import factories
from tests.support.aws_events import LICENSE_UPDATED, eventbridge_event, minutes_after_noon
from tests.support.outbox_messages import register_customer
from tests.support.stored_rows import all_rows
from tests.support.subscription_rows import insert_changed_at


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return factories.enable_handoffs_and_mail(environment)


@pytest.fixture
def stored(app: Flask) -> Callable[[type[Model]], str]:
    """A registered customer with an event and an invitation; returns the newest id of a kind of row."""
    subscription_id = register_customer(app)
    with app.app_context():
        invitations.invite(subscription_id, "marie@example.com", "buyer")
    apply_events(app, eventbridge_event(LICENSE_UPDATED, minutes_after_noon(1)))

    def newest_id(model: type[Model]) -> str:
        return str(max(row.id for row in all_rows(app, model)))

    return newest_id


@pytest.mark.parametrize(
    ("command", "model"),
    [
        (["registrations", "show"], Registration),
        (["registrations", "erase", "--yes"], Registration),
        (["subscriptions", "show"], Subscription),
        (["events", "show"], Event),
        (["invitations", "revoke"], Invitation),
    ],
)
@pytest.mark.parametrize("spell", [lambda id_: id_[:23], lambda id_: id_[:23].upper(), lambda id_: f" {id_[:35]} "])
def test_beginning_of_an_id_stands_for_it(
    runner: FlaskCliRunner,
    stored: Callable[[type[Model]], str],
    command: list[str],
    model: type[Model],
    spell: Callable[[str], str],
) -> None:
    id_ = stored(model)

    result = runner.invoke(args=[*command, spell(id_)])

    assert result.exit_code == 0, result.stderr
    assert id_ in result.stdout


def test_beginning_of_a_handoff_or_mail_stands_for_it(app: Flask, runner: FlaskCliRunner) -> None:
    register_customer(app)
    for group in ("handoffs", "mails"):
        for message in list_rows(runner, group):
            beginning = message["id"][:-1].replace("-", "")
            if group == "handoffs":
                assert runner.invoke(args=["handoffs", "show", f"msg_{beginning}"]).exit_code == 0
            assert runner.invoke(args=[group, "retry", beginning]).exit_code == 0
    assert len(all_rows(app, OutboxMessage)) == 3


@pytest.mark.parametrize("group", ["events", "handoffs", "mails", "invitations"])
def test_subscription_filter_takes_the_beginning_of_its_id(
    runner: FlaskCliRunner, stored: Callable[[type[Model]], str], group: str
) -> None:
    assert list_rows(runner, group, "--subscription", stored(Subscription)[:23]) == list_rows(runner, group)


def test_ambiguous_beginning_is_refused_with_the_candidates(
    runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    ids = [create_registration({"license_arn": f"arn:aws:license-manager::1:license:l-{n}"}) for n in range(3)]

    result = runner.invoke(args=["registrations", "show", str(ids[0])[:3]])

    assert (result.exit_code, result.stdout) == (1, "")
    assert "Several registrations have ids that begin with" in result.stderr
    assert [line.strip() for line in result.stderr.splitlines()[1:]] == [str(id_) for id_ in ids]


def test_ambiguous_beginning_lists_five_candidates_at_most(app: Flask, runner: FlaskCliRunner) -> None:
    with app.app_context():
        for number in range(7):
            invitations.invite(register_customer(app, _license(number)), f"marie{number}@example.com", "buyer")

    stderr = runner.invoke(args=["invitations", "revoke", "01"]).stderr

    assert stderr.splitlines()[-1] == "  ..."
    assert len(stderr.splitlines()) == 7


def test_several_subscriptions_with_the_beginning_are_listed(app: Flask, runner: FlaskCliRunner) -> None:
    moment = minutes_after_noon(0)
    ids = insert_changed_at(app, moment, moment)

    result = runner.invoke(args=["subscriptions", "show", str(ids[0])[:4]])

    assert result.exit_code == 0
    assert {line.split()[0] for line in result.stdout.splitlines()[1:]} == {str(id_) for id_ in ids}


def test_beginning_of_an_erased_registration_says_when_it_was_erased(app: Flask, runner: FlaskCliRunner) -> None:
    register_customer(app)
    (registration,) = all_rows(app, Registration)
    with app.app_context():
        erasure.erase(registration.id, "operator:alice")

    result = runner.invoke(args=["registrations", "show", str(registration.id)[:23]])

    assert result.exit_code == 1
    assert "was erased at" in result.stderr
    assert all_rows(app, AuditEntry)[-1].registration_id == registration.id


@pytest.mark.parametrize("beginning", ["", " ", "-", "xyz", "01a2*", "%", "\a", "f" * 33])
def test_text_that_begins_no_id_finds_nothing(
    runner: FlaskCliRunner, create_registration: CreateRegistration, beginning: str
) -> None:
    create_registration()

    result = runner.invoke(args=["registrations", "show", beginning])

    assert (result.exit_code, result.stdout) == (1, "")
    assert f"No registration has the id {beginning!r}" in result.stderr


def _license(number: int) -> dict[str, str]:
    return {"license_arn": f"arn:aws:license-manager::1:license:l-{number}", "agreement_id": f"agmt-{number}"}


def test_ids_in_a_table_are_long_enough_to_differ() -> None:
    first, second = UUID("01a207c8-85e3-70e1-8187-c3ad0186f92b"), UUID("01a207c8-85e3-70e2-8187-c3ad0186f92b")
    other = UUID("01a207c9-85e3-70e2-8187-c3ad0186f92b")

    assert set(tables.short_ids([first, other]).values()) == {"01a207c8-85e3", "01a207c9-85e3"}
    assert set(tables.short_ids([first, second]).values()) == {"01a207c8-85e3-70e1", "01a207c8-85e3-70e2"}

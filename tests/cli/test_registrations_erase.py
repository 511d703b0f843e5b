"""foyer registrations erase and erase-due: the person is erased, and the purchase stays."""

import getpass
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import select, update

from app import create_app
from app.database import transactions
from app.models import AuditEntry, Registration, Subscription
from app.services.operations import audit
from tests.cli.command_output import list_rows
from tests.cli.conftest import CreateRegistration, CreateSubscription
from tests.support import factories

ARN = "arn:aws:license-manager::294406891311:license:l-0123456789abcdef"
UNKNOWN = ["01a2066f-e5cd-710c-9525-16e12fa5c8ec", "012345678901", "\a"]


@pytest.fixture
def retention_app(environment: pytest.MonkeyPatch) -> Iterator[Flask]:
    """An application with RETENTION_DAYS=30."""
    environment.setenv("RETENTION_DAYS", "30")
    with factories.open_app(create_app()) as app:
        yield app


def end_long_ago(app: Flask) -> None:
    """Date the end of every purchase, and every sign-up, 31 days ago."""
    long_ago = datetime.now(UTC) - timedelta(days=31)
    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        connection.execute(update(Subscription).values(status="ended", status_since=long_ago))
        connection.execute(update(Registration).values(updated_at=long_ago))


def actors(app: Flask) -> list[str]:
    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        return list(connection.scalars(select(AuditEntry.actor).where(AuditEntry.action == audit.REGISTRATION_ERASED)))


def registrations(runner: FlaskCliRunner) -> list[str]:
    return [row["id"] for row in list_rows(runner, "registrations")]


def test_erase_shows_the_registration_and_asks_first(
    runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    registration_id = str(create_registration({"license_arn": ARN}, company="Juniper & Lark", email="ada@gmail.com"))

    result = runner.invoke(args=["registrations", "erase", registration_id], input="y\n")

    assert result.exit_code == 0
    shown = dict(line.split(maxsplit=1) for line in result.stdout.split("\n\n")[0].splitlines())
    assert (shown["id"], shown["company"]) == (registration_id, "Juniper & Lark")
    assert (shown["email"], shown["license_arn"]) == ("a•••@gmail.com", ARN)
    assert "ada@gmail.com" not in result.output
    assert "Erase this registration?" in result.stdout
    assert registrations(runner) == []


@pytest.mark.parametrize("answer", ["n\n", "\n", None])
def test_nothing_is_erased_without_a_yes(
    app: Flask, runner: FlaskCliRunner, create_registration: CreateRegistration, answer: str | None
) -> None:
    registration_id = str(create_registration())

    result = runner.invoke(args=["registrations", "erase", registration_id], input=answer)

    assert result.exit_code == 1
    assert registrations(runner) == [registration_id]
    assert actors(app) == []


def test_yes_option_skips_the_question(runner: FlaskCliRunner, create_registration: CreateRegistration) -> None:
    registration_id = str(create_registration())

    result = runner.invoke(args=["registrations", "erase", registration_id, "--yes"])

    assert result.exit_code == 0
    assert "Erase this registration?" not in result.stdout
    assert registrations(runner) == []


def test_erasing_twice_succeeds_and_says_when_it_was_erased(
    runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    registration_id = str(create_registration())
    first = runner.invoke(args=["registrations", "erase", registration_id, "--yes", "--by", "alice"])

    second = runner.invoke(args=["registrations", "erase", registration_id, "--by", "bob"])

    assert second.exit_code == 0
    assert second.stdout.splitlines() == first.stdout.splitlines()[-1:]
    assert "by operator:alice" in second.stdout


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_unknown_id_fails_and_says_where_to_look(
    runner: FlaskCliRunner, create_registration: CreateRegistration, unknown: str
) -> None:
    kept = str(create_registration())

    result = runner.invoke(args=["registrations", "erase", unknown, "--yes"])

    assert (result.exit_code, result.stdout) == (1, "")
    assert "registrations list --email" in result.stderr
    assert "\a" not in result.stderr
    assert registrations(runner) == [kept]


def test_audit_entry_names_the_login_user(
    app: Flask, runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    registration_id = str(create_registration())

    runner.invoke(args=["registrations", "erase", registration_id, "--yes"], env={"LOGNAME": "alice"})

    assert actors(app) == ["operator:alice"]


def test_user_without_a_login_name_can_erase(
    app: Flask, runner: FlaskCliRunner, create_registration: CreateRegistration, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_key_error() -> str:
        raise KeyError("getpwuid(): uid not found: 10001")

    monkeypatch.setattr(getpass, "getuser", raise_key_error)
    registration_id = str(create_registration())

    result = runner.invoke(args=["registrations", "erase", registration_id, "--yes"])

    assert result.exit_code == 0
    assert actors(app) == ["operator:unnamed"]


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "two\nlines", "\x1b[2J"])
def test_name_that_would_break_the_audit_entry_is_refused(
    runner: FlaskCliRunner, create_registration: CreateRegistration, name: str
) -> None:
    registration_id = str(create_registration())

    result = runner.invoke(args=["registrations", "erase", registration_id, "--yes", "--by", name])

    assert result.exit_code == 2
    assert "at most 100 characters" in result.stderr
    assert registrations(runner) == [registration_id]


@pytest.mark.parametrize("as_json", [False, True])
def test_erased_registration_shows_when_and_by_whom(
    runner: FlaskCliRunner, create_registration: CreateRegistration, as_json: bool
) -> None:
    registration_id = str(create_registration())
    runner.invoke(args=["registrations", "erase", registration_id, "--yes", "--by", "alice"])

    result = runner.invoke(args=["registrations", "show", registration_id, *(["--json"] if as_json else [])])

    assert (result.exit_code, result.stdout) == (1, "")
    assert f"was erased at {datetime.now(UTC):%Y-%m-%d}" in result.stderr
    assert "by operator:alice" in result.stderr


def test_subscription_shows_that_its_registration_was_erased(
    runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    registration_id = str(create_registration({"license_arn": ARN}))
    runner.invoke(args=["registrations", "erase", registration_id, "--yes"])

    result = runner.invoke(args=["subscriptions", "show", ARN])

    shown = dict(line.split(maxsplit=1) for line in result.stdout.split("\n\n")[0].splitlines())
    assert shown["license_arn"] == ARN
    assert shown["registration_erased_at"].startswith(f"{datetime.now(UTC):%Y-%m-%d}")
    assert "The registration was erased" in result.stdout
    assert "has not sent" not in result.stdout


def test_subscription_does_not_show_the_erasure_of_another(
    runner: FlaskCliRunner, create_registration: CreateRegistration, create_subscription: CreateSubscription
) -> None:
    create_subscription(license_arn=ARN)
    registration_id = str(create_registration({"license_arn": f"{ARN}-other"}))
    runner.invoke(args=["registrations", "erase", registration_id, "--yes"])

    result = runner.invoke(args=["subscriptions", "show", ARN])

    assert "registration_erased_at" not in result.stdout
    assert "has not sent the sign-up form yet" in result.stdout


def test_new_registration_hides_the_earlier_erasure(
    runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    erased = str(create_registration({"license_arn": ARN}))
    runner.invoke(args=["registrations", "erase", erased, "--yes"])

    second = str(create_registration({"license_arn": ARN}, company="Quillfeather"))

    shown = json.loads(runner.invoke(args=["subscriptions", "show", ARN, "--json"]).stdout)
    assert (shown["registration_id"], shown["company"]) == (second, "Quillfeather")
    assert shown["registration_erased_at"] is None
    assert second != erased


def test_erase_due_erases_expired_registrations(retention_app: Flask, create_registration: CreateRegistration) -> None:
    runner = retention_app.test_cli_runner()
    create_registration({"license_arn": ARN})
    end_long_ago(retention_app)
    kept = str(create_registration({"license_arn": f"{ARN}-new"}))

    result = runner.invoke(args=["registrations", "erase-due"])

    assert (result.exit_code, result.stdout) == (0, "Registrations erased: 1\n")
    assert registrations(runner) == [kept]
    assert actors(retention_app) == ["retention"]


def test_dry_run_lists_expired_registrations_and_erases_nothing(
    retention_app: Flask, create_registration: CreateRegistration
) -> None:
    runner = retention_app.test_cli_runner()
    due = str(create_registration({"license_arn": ARN}))
    end_long_ago(retention_app)

    result = runner.invoke(args=["registrations", "erase-due", "--dry-run"])

    assert result.stdout.splitlines() == [due, "Registrations that would be erased: 1"]
    assert registrations(runner) == [due]
    assert actors(retention_app) == []


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_erase_due_without_a_retention_erases_nothing(
    app: Flask, runner: FlaskCliRunner, create_registration: CreateRegistration, options: list[str]
) -> None:
    kept = str(create_registration())
    end_long_ago(app)

    result = runner.invoke(args=["registrations", "erase-due", *options])

    assert (result.exit_code, result.stdout) == (
        0,
        "RETENTION_DAYS is 0: registrations are kept until you erase them.\n",
    )
    assert registrations(runner) == [kept]

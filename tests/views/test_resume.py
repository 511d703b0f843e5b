"""Resume links: an operator sends one to a buyer whose registration has no purchase."""

import json
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from werkzeug.test import TestResponse

from app import create_app
from app.security import encryption
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import csrf_token
from tests.support.pending_purchases import register_before_purchase, resolve_pending

SITE = "https://register.acme.example"


@pytest.fixture
def unlinked_id(app: Flask, sandbox: Sandbox) -> str:
    """The id of a registration whose token died."""
    return register_with_dead_token(app, sandbox)


def register_with_dead_token(app: Flask, sandbox: Sandbox, **answers: str) -> str:
    """Register with a token that AWS then refuses; return the registration's id."""
    _, completed = register_before_purchase(app, factories.token(sandbox), **answers)
    sandbox.marketplace.change_faults(expired=True)
    assert resolve_pending(app, seconds=5) is True
    sandbox.marketplace.change_faults(expired=False)
    return str(completed.registration_id)


def resume_link(runner: FlaskCliRunner, registration: str) -> str:
    result = runner.invoke(args=["registrations", "resume-link", registration, "--site", f"{SITE}/"])
    assert result.exit_code == 0, result.stderr
    return result.stdout.strip().removeprefix(SITE)


def open_link(client: FlaskClient, link: str, email: str = ANSWERS["email"]) -> TestResponse:
    """Open the link, and enter the address that was registered."""
    return client.post(link, data={"csrf_token": csrf_token(client.get(link).text), "email": email})


def test_resume_link_starts_with_configured_or_given_site(environment: pytest.MonkeyPatch, unlinked_id: str) -> None:
    command = ["registrations", "resume-link", unlinked_id]
    with factories.open_app(create_app()) as app:
        without_site = app.test_cli_runner().invoke(args=command)
    environment.setenv("SITE_URL", SITE)
    with factories.open_app(create_app()) as app:
        with_setting = app.test_cli_runner().invoke(args=command)

    assert without_site.exit_code == 2
    assert "SITE_URL is not set: say with --site" in without_site.stderr
    assert with_setting.stdout.startswith(f"{SITE}/resume/")


def listed(runner: FlaskCliRunner) -> list[dict[str, str]]:
    result = runner.invoke(args=["registrations", "list", "--unlinked", "--json"])
    rows: list[dict[str, str]] = json.loads(result.stdout)
    return rows


def test_operator_list_shows_unlinked_registration_and_reason(
    app: Flask, client: FlaskClient, sandbox: Sandbox, runner: FlaskCliRunner, unlinked_id: str
) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    client.post("/signup", data={"csrf_token": csrf_token(client.get("/signup").text), **ANSWERS})

    [row] = listed(runner)
    table = runner.invoke(args=["registrations", "list", "--unlinked"]).stdout

    assert row["id"] == unlinked_id
    assert row["token_fault"] == "ExpiredToken"
    assert row["token_died_at"]
    assert row["subscription_id"] is None
    assert "ada@gmail.com" in table
    assert "ExpiredToken" in table


def test_resume_link_prefills_form_in_another_browser(
    client: FlaskClient, sandbox: Sandbox, runner: FlaskCliRunner, unlinked_id: str
) -> None:
    link = resume_link(runner, unlinked_id)
    page = open_link(client, link)
    assert "Your answers are ready" in page.text
    assert "Set up your account" in page.text
    assert "Ada Lovelace" not in page.text

    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="012345678901")})
    form = client.get("/signup").text
    assert 'value="Ada Lovelace"' in form
    client.post("/signup", data={"csrf_token": csrf_token(form), **ANSWERS})

    assert listed(runner) == []
    shown = json.loads(runner.invoke(args=["registrations", "show", unlinked_id, "--json"]).stdout)
    assert shown["customer_aws_account_id"] == "012345678901"
    assert "This link no longer works" in client.get(link).text


def test_resume_link_expires_after_thirty_days(client: FlaskClient, runner: FlaskCliRunner, unlinked_id: str) -> None:
    link = resume_link(runner, unlinked_id)

    with time_machine.travel(datetime.now(UTC) + timedelta(days=29, hours=23)):
        in_time = client.get(link).text
    with time_machine.travel(datetime.now(UTC) + timedelta(days=30, hours=1)):
        too_late = client.get(link).text

    assert "Your answers are saved" in in_time
    assert "This link no longer works" in too_late


def test_altered_resume_link_shows_no_answers(
    client: FlaskClient, sandbox: Sandbox, runner: FlaskCliRunner, unlinked_id: str
) -> None:
    link = resume_link(runner, unlinked_id)

    for wrong in (link[:-4] + "AAAA", "/resume/made-up", "/resume/%00", f"/resume/{unlinked_id}"):
        assert "This link no longer works" in client.get(wrong).text

    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    assert "Ada Lovelace" not in client.get("/signup").text


def test_resume_link_is_opaque(runner: FlaskCliRunner, unlinked_id: str) -> None:
    assert re.fullmatch(r"/resume/[A-Za-z0-9_-]+", resume_link(runner, unlinked_id))


def test_resume_link_works_with_and_without_padding(app: Flask, client: FlaskClient, unlinked_id: str) -> None:
    with app.app_context():
        ciphertext = encryption.cipher("resume link").encrypt(UUID(unlinked_id).bytes).decode()

    assert ciphertext.endswith("=")
    for link_id in (ciphertext, ciphertext.rstrip("=")):
        assert "Your answers are saved" in client.get(f"/resume/{link_id}").text


@pytest.mark.parametrize("registration", ["01a2066f-e5cd-710c-9525-16e12fa5c8ec", "nonsense"])
def test_only_unlinked_registration_has_resume_link(runner: FlaskCliRunner, registration: str) -> None:
    result = runner.invoke(args=["registrations", "resume-link", registration, "--site", SITE])

    assert result.exit_code == 1
    assert "registrations list" in result.stderr


def test_resume_link_during_database_outage_refreshes(
    environment: pytest.MonkeyPatch, runner: FlaskCliRunner, unlinked_id: str
) -> None:
    link = resume_link(runner, unlinked_id)
    environment.setenv("DATABASE_URL", "sqlite:////nowhere/foyer.db")

    with factories.open_app(create_app()) as app:
        page = app.test_client().get(link)

    assert page.status_code == 503
    assert page.headers["Refresh"]
    assert "We cannot open this page right now" in page.text


def test_resume_link_keeps_the_draft(
    client: FlaskClient, sandbox: Sandbox, runner: FlaskCliRunner, unlinked_id: str
) -> None:
    purchase = sandbox.marketplace.buy(factories.order())
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    wrong = {**ANSWERS, "company": "Typed", "email": "not-an-email"}
    client.post("/signup", data={"csrf_token": csrf_token(client.get("/signup").text), **wrong})

    open_link(client, resume_link(runner, unlinked_id), "wrong@gmail.com")
    open_link(client, resume_link(runner, unlinked_id))

    assert 'value="Typed"' in client.get("/signup").text


def test_reopening_resume_link_keeps_other_registrations(
    app: Flask, client: FlaskClient, sandbox: Sandbox, runner: FlaskCliRunner, unlinked_id: str
) -> None:
    later = register_with_dead_token(app, sandbox, full_name="Grace Hopper")
    open_link(client, resume_link(runner, later))

    for _ in range(6):
        open_link(client, resume_link(runner, unlinked_id))
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})

    assert 'value="Grace Hopper"' in client.get("/signup").text


@pytest.mark.parametrize("email", [None, "eve@gmail.com", "ada@gmail.co", "", "%"])
def test_resume_link_in_strange_hands_shows_no_answers(
    app: Flask, sandbox: Sandbox, runner: FlaskCliRunner, unlinked_id: str, email: str | None
) -> None:
    link, eve = resume_link(runner, unlinked_id), app.test_client()
    page = eve.get(link) if email is None else open_link(eve, link, email)

    eve.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    form = eve.get("/signup").text

    for secret in ANSWERS.values():
        assert secret not in page.text.replace(f'value="{email}"', "")
        assert secret not in form
    assert eve.get_cookie("draft", domain="localhost") is None


def test_resume_link_without_our_form_is_refused(client: FlaskClient, runner: FlaskCliRunner, unlinked_id: str) -> None:
    sent = client.post(resume_link(runner, unlinked_id), data={"email": ANSWERS["email"]})

    assert sent.status_code == 422
    assert client.get_cookie("draft", domain="localhost") is None


def test_address_of_resume_link_cannot_be_guessed(
    app: Flask, client: FlaskClient, runner: FlaskCliRunner, unlinked_id: str
) -> None:
    link = resume_link(runner, unlinked_id)
    wrong = [open_link(app.test_client(), link, f"guess{number}@gmail.com").status_code for number in range(11)]

    right = open_link(client, link)

    assert wrong == [*[422] * 10, 429]
    assert right.status_code == 429
    assert client.get_cookie("draft", domain="localhost") is None
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=1, minutes=1)):
        assert open_link(client, link, ANSWERS["email"].upper()).status_code == 200

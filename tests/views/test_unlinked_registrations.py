"""Registrations that are stored before AWS resolves the token, and linked to the purchase afterwards."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.models import PendingToken, Registration, Subscription
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import csrf_token
from tests.support.pending_purchases import resolve_pending
from tests.support.stored_rows import all_rows
from tests.views.outages import register


def test_registration_is_linked_once_aws_answers(
    app: Flask, client: FlaskClient, sandbox: Sandbox, token_during_outage: str
) -> None:
    client.post("/", data={TOKEN_FIELD: token_during_outage, "x-amzn-marketplace-offer-type": "free-trial"})
    assert register(client) == "/welcome"
    waiting = client.get("/welcome")
    assert "We have your registration" in waiting.text
    assert "Ada Lovelace" in waiting.text
    assert waiting.headers["Refresh"]
    sandbox.marketplace.change_faults(aws_down=False)

    assert resolve_pending(app, seconds=5) is True

    linked = client.get("/welcome")
    assert "You are registered" in linked.text
    assert "•••• •••• 8901" in linked.text
    assert "Ada Lovelace" in linked.text
    [registration], [subscription] = all_rows(app, Registration), all_rows(app, Subscription)
    [pending] = all_rows(app, PendingToken)
    assert registration.subscription_id == subscription.id
    assert subscription.offer_type == "free-trial"
    assert pending.sealed is None


def test_form_sent_after_resolution_is_linked(
    app: Flask, client: FlaskClient, sandbox: Sandbox, token_during_outage: str
) -> None:
    client.post("/", data={TOKEN_FIELD: token_during_outage})
    page = client.get("/signup").text
    sandbox.marketplace.change_faults(aws_down=False)
    resolve_pending(app, seconds=5)

    response = client.post("/signup", data={"csrf_token": csrf_token(page), **ANSWERS})

    assert response.location == "/welcome"
    [registration], [subscription] = all_rows(app, Registration), all_rows(app, Subscription)
    assert registration.subscription_id == subscription.id
    assert "You are registered" in client.get("/welcome").text


def test_unlinked_registration_is_not_moved_to_other_purchase(
    app: Flask, client: FlaskClient, sandbox: Sandbox, token_during_outage: str
) -> None:
    client.post("/", data={TOKEN_FIELD: token_during_outage})
    register(client)
    sandbox.marketplace.change_faults(aws_down=False)
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="777788889999")})
    register(client, company="Ostrava Robotics")

    resolve_pending(app, seconds=5)

    registrations = all_rows(app, Registration)
    assert sorted(row.company for row in registrations) == ["Juniper & Lark", "Ostrava Robotics"]
    assert all(row.subscription_id for row in registrations)


def test_second_outage_leaves_one_registration(
    app: Flask, client: FlaskClient, sandbox: Sandbox, token_during_outage: str
) -> None:
    client.post("/", data={TOKEN_FIELD: token_during_outage})
    register(client)
    resolve_pending(app, hours=5)

    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    register(client, company="Juniper")

    [registration] = all_rows(app, Registration)
    assert registration.company == "Juniper"


def test_answers_during_outage_replace_earlier_ones(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(factories.order(account_id="012345678901"))
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    register(client)
    sandbox.marketplace.change_faults(aws_down=True)
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    register(client, company="Juniper")
    sandbox.marketplace.change_faults(aws_down=False)

    resolve_pending(app, seconds=5)

    [registration] = all_rows(app, Registration)
    assert registration.company == "Juniper"
    assert "Juniper" in client.get("/welcome").text


@on_sqlite
def test_other_account_does_not_see_unlinked_registration(
    client: FlaskClient, sandbox: Sandbox, token_during_outage: str
) -> None:
    client.post("/", data={TOKEN_FIELD: token_during_outage})
    register(client)
    sandbox.marketplace.change_faults(aws_down=False)

    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="777788889999")})

    assert "Ada Lovelace" not in client.get("/signup").text


@on_sqlite
def test_newer_unlinked_answers_are_offered_to_registered_buyer(
    app: Flask, client: FlaskClient, sandbox: Sandbox
) -> None:
    purchase = sandbox.marketplace.buy(factories.order())
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    register(client)
    sandbox.marketplace.change_faults(aws_down=True)
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    register(client, company="Juniper")
    sandbox.marketplace.change_faults(aws_down=False, expired=True)
    resolve_pending(app, seconds=5)
    sandbox.marketplace.change_faults(expired=False)

    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    form = client.get("/signup").text

    assert "You have already registered for this purchase" in form
    assert 'value="Juniper"' in form
    client.post("/signup", data={"csrf_token": csrf_token(form), **ANSWERS, "company": "Juniper"})
    [registration] = all_rows(app, Registration)
    assert registration.company == "Juniper"


@on_sqlite
def test_second_purchase_keeps_first_registrations_answers(
    app: Flask, client: FlaskClient, sandbox: Sandbox, token_during_outage: str
) -> None:
    client.post("/", data={TOKEN_FIELD: token_during_outage})
    register(client)
    sandbox.marketplace.change_faults(aws_down=False)
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="777788889999")})
    register(client, company="Ostrava Robotics", email="bob@example.com")
    sandbox.marketplace.change_faults(expired=True)
    resolve_pending(app, seconds=5)
    sandbox.marketplace.change_faults(expired=False)

    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="012345678901")})

    assert 'value="Ada Lovelace"' in client.get("/signup").text


@pytest.mark.parametrize("is_linked", [False, True])
def test_second_browser_cannot_replace_unlinked_registration(
    app: Flask, client: FlaskClient, sandbox: Sandbox, token_during_outage: str, is_linked: bool
) -> None:
    other = app.test_client()
    for browser in (client, other):
        browser.post("/", data={TOKEN_FIELD: token_during_outage})
    form = csrf_token(other.get("/signup").text)
    register(client)
    if is_linked:
        sandbox.marketplace.change_faults(aws_down=False)
        resolve_pending(app, seconds=5)

    refused = other.post("/signup", data={**ANSWERS, "company": "Ostrava Robotics", "csrf_token": form})

    assert refused.status_code == 409
    assert [registration.company for registration in all_rows(app, Registration)] == ["Juniper & Lark"]
    assert "Ada Lovelace" not in other.get("/welcome").text


def test_sender_can_correct_unlinked_registration(app: Flask, client: FlaskClient, token_during_outage: str) -> None:
    client.post("/", data={TOKEN_FIELD: token_during_outage})
    register(client)

    form = csrf_token(client.get("/signup?change=").text)
    client.post("/signup", data={**ANSWERS, "company": "Juniper", "csrf_token": form})

    assert [registration.company for registration in all_rows(app, Registration)] == ["Juniper"]


def test_dead_token_offers_new_start_with_answers(
    app: Flask, client: FlaskClient, sandbox: Sandbox, token_during_outage: str
) -> None:
    client.post("/", data={TOKEN_FIELD: token_during_outage})
    register(client)
    sandbox.marketplace.change_faults(aws_down=False, expired=True)
    resolve_pending(app, seconds=5)
    page = client.get("/welcome").text
    assert "One more step" in page
    assert "Set up your account" in page
    sandbox.marketplace.change_faults(expired=False)

    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="012345678901")})
    form = client.get("/signup").text
    assert "We saved your earlier answers" in form
    assert 'value="Ada Lovelace"' in form
    assert "•••• •••• 8901" in form
    client.post("/signup", data={"csrf_token": csrf_token(form), **ANSWERS})

    [registration], [subscription] = all_rows(app, Registration), all_rows(app, Subscription)
    assert registration.subscription_id == subscription.id
    assert client.get_cookie("draft", domain="localhost") is None

"""A buyer whose token AWS does not resolve in time: they register all the same, and are linked later."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete

from app.database import engine
from app.models import PendingToken, Registration, Subscription
from app.services.signup import retry_pending
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows


def switch(sandbox: Sandbox, **faults: object) -> None:
    sandbox.marketplace.faults = sandbox.marketplace.faults.model_copy(update=faults)


def register(client: FlaskClient, **changes: str) -> str:
    form = {"csrf_token": csrf_token(client.get("/signup").text), **ANSWERS, **changes}
    return str(client.post("/signup", data=form).location)


def link(app: Flask, **later: float) -> bool | None:
    """Let the worker try once, some time from now."""
    moment = datetime.now(UTC) + timedelta(**(later or {"seconds": 5}))
    with app.app_context(), time_machine.travel(moment):
        return retry_pending.resolve_next()


@pytest.fixture
def token(sandbox: Sandbox) -> str:
    """A buyer's token, with AWS down."""
    token = factories.token(sandbox, account_id="012345678901")
    switch(sandbox, aws_down=True)
    return token


@on_sqlite
@pytest.mark.parametrize("fault", [{"aws_down": True}, {"throttled": 100}, {"slow": 60}])
def test_aws_outage_leads_to_the_form(client: FlaskClient, sandbox: Sandbox, fault: dict[str, object]) -> None:
    token = factories.token(sandbox)
    switch(sandbox, **fault)

    response = client.post("/", data={TOKEN_FIELD: token})

    switch(sandbox, slow=0)
    assert (response.status_code, response.location) == (303, "/signup")
    page = client.get("/signup").text
    assert "AWS Marketplace is slow to respond" in page
    assert "we will link your registration" in page


@on_sqlite
def test_pending_token_is_encrypted_and_in_no_cookie(app: Flask, client: FlaskClient, token: str) -> None:
    response = client.post("/", data={TOKEN_FIELD: token})

    [parked] = all_rows(app, PendingToken)
    assert parked.sealed
    assert token.encode() not in parked.sealed
    assert token not in str(response.headers)
    with client.session_transaction() as session:
        assert token not in repr(dict(session))


def test_registration_is_linked_once_aws_answers(app: Flask, client: FlaskClient, sandbox: Sandbox, token: str) -> None:
    client.post("/", data={TOKEN_FIELD: token, "x-amzn-marketplace-offer-type": "free-trial"})
    assert register(client) == "/welcome"
    waiting = client.get("/welcome")
    assert "We have your registration" in waiting.text
    assert "Ada Lovelace" in waiting.text
    assert waiting.headers["Refresh"]
    switch(sandbox, aws_down=False)

    assert link(app) is True

    linked = client.get("/welcome")
    assert "You are registered" in linked.text
    assert "•••• •••• 8901" in linked.text
    assert "Ada Lovelace" in linked.text
    [registration], [subscription] = all_rows(app, Registration), all_rows(app, Subscription)
    [parked] = all_rows(app, PendingToken)
    assert registration.subscription_id == subscription.id
    assert subscription.offer_type == "free-trial"
    assert parked.sealed is None


def test_form_sent_after_resolution_is_linked(app: Flask, client: FlaskClient, sandbox: Sandbox, token: str) -> None:
    client.post("/", data={TOKEN_FIELD: token})
    page = client.get("/signup").text
    switch(sandbox, aws_down=False)
    link(app)

    response = client.post("/signup", data={"csrf_token": csrf_token(page), **ANSWERS})

    assert response.location == "/welcome"
    [registration], [subscription] = all_rows(app, Registration), all_rows(app, Subscription)
    assert registration.subscription_id == subscription.id
    assert "You are registered" in client.get("/welcome").text


def test_double_click_stores_one_token_and_registration(app: Flask, client: FlaskClient, token: str) -> None:
    client.post("/", data={TOKEN_FIELD: token})
    client.post("/", data={TOKEN_FIELD: token})
    register(client)
    client.post("/", data={TOKEN_FIELD: token})

    assert client.get("/signup").location == "/welcome"
    assert len(all_rows(app, PendingToken)) == len(all_rows(app, Registration)) == 1


@on_sqlite
@pytest.mark.parametrize("fault", ["invalid", "expired", "other_product", "access_denied", "credentials_expired"])
def test_refused_token_is_not_stored(app: Flask, client: FlaskClient, sandbox: Sandbox, fault: str) -> None:
    token = factories.token(sandbox)
    switch(sandbox, **{fault: True})

    response = client.post("/", data={TOKEN_FIELD: token})

    assert response.status_code >= 400
    assert all_rows(app, PendingToken) == []


@on_sqlite
def test_oversized_token_is_not_stored(app: Flask, client: FlaskClient, token: str) -> None:
    response = client.post("/", data={TOKEN_FIELD: token * 30})

    assert response.status_code == 503
    assert "Try again</button>" in response.text
    assert all_rows(app, PendingToken) == []


def test_dead_token_offers_new_start_with_answers(
    app: Flask, client: FlaskClient, sandbox: Sandbox, token: str
) -> None:
    client.post("/", data={TOKEN_FIELD: token})
    register(client)
    switch(sandbox, aws_down=False, expired=True)
    link(app)
    page = client.get("/welcome").text
    assert "One more step" in page
    assert "Set up your account" in page
    switch(sandbox, expired=False)

    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="012345678901")})
    form = client.get("/signup").text
    assert "We saved your earlier answers" in form
    assert 'value="Ada Lovelace"' in form
    assert "•••• •••• 8901" in form
    client.post("/signup", data={"csrf_token": csrf_token(form), **ANSWERS})

    [registration], [subscription] = all_rows(app, Registration), all_rows(app, Subscription)
    assert registration.subscription_id == subscription.id
    assert client.get_cookie("draft", domain="localhost") is None


def test_unlinked_registration_is_not_moved_to_other_purchase(
    app: Flask, client: FlaskClient, sandbox: Sandbox, token: str
) -> None:
    client.post("/", data={TOKEN_FIELD: token})
    register(client)
    switch(sandbox, aws_down=False)
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="777788889999")})
    register(client, company="Ostrava Robotics")

    link(app)

    registrations = all_rows(app, Registration)
    assert sorted(row.company for row in registrations) == ["Juniper & Lark", "Ostrava Robotics"]
    assert all(row.subscription_id for row in registrations)


def test_second_outage_leaves_one_registration(app: Flask, client: FlaskClient, sandbox: Sandbox, token: str) -> None:
    client.post("/", data={TOKEN_FIELD: token})
    register(client)
    link(app, hours=5)

    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    register(client, company="Juniper")

    [registration] = all_rows(app, Registration)
    assert registration.company == "Juniper"


@on_sqlite
def test_token_refused_by_worker_fails_at_next_landing(
    app: Flask, client: FlaskClient, sandbox: Sandbox, token: str
) -> None:
    client.post("/", data={TOKEN_FIELD: token})
    switch(sandbox, aws_down=False, expired=True)
    link(app)
    switch(sandbox, aws_down=True, expired=False)

    response = client.post("/", data={TOKEN_FIELD: token})

    assert response.status_code == 400
    assert "This link has expired" in response.text


def test_answers_during_outage_replace_earlier_ones(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(factories.order(account_id="012345678901"))
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    register(client)
    switch(sandbox, aws_down=True)
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    register(client, company="Juniper")
    switch(sandbox, aws_down=False)

    link(app)

    [registration] = all_rows(app, Registration)
    assert registration.company == "Juniper"
    assert "Juniper" in client.get("/welcome").text


@on_sqlite
def test_deleted_token_offers_new_start_and_keeps_draft(app: Flask, client: FlaskClient, token: str) -> None:
    client.post("/", data={TOKEN_FIELD: token})
    form = {"csrf_token": csrf_token(client.get("/signup").text), **ANSWERS}
    with app.app_context(), engine.current_database().write_engine.begin() as connection:
        connection.execute(delete(PendingToken))

    page = client.post("/signup", data=form)

    assert page.status_code == 403
    assert "Set up your account" in page.text
    assert "Your answers are saved in this browser" in page.text


@on_sqlite
@pytest.mark.parametrize(
    ("fault", "words"), [("expired", "This link has expired"), ("invalid", "This link no longer works")]
)
def test_form_of_dead_token_shows_its_error(
    app: Flask, client: FlaskClient, sandbox: Sandbox, token: str, fault: str, words: str
) -> None:
    client.post("/", data={TOKEN_FIELD: token})
    switch(sandbox, aws_down=False, **{fault: True})
    link(app)

    page = client.get("/signup")

    assert page.status_code == 400
    assert words in page.text


@on_sqlite
def test_other_account_does_not_see_unlinked_registration(client: FlaskClient, sandbox: Sandbox, token: str) -> None:
    client.post("/", data={TOKEN_FIELD: token})
    register(client)
    switch(sandbox, aws_down=False)

    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="777788889999")})

    assert "Ada Lovelace" not in client.get("/signup").text


@on_sqlite
def test_newer_unlinked_answers_are_offered_to_registered_buyer(
    app: Flask, client: FlaskClient, sandbox: Sandbox
) -> None:
    purchase = sandbox.marketplace.buy(factories.order())
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    register(client)
    switch(sandbox, aws_down=True)
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    register(client, company="Juniper")
    switch(sandbox, aws_down=False, expired=True)
    link(app)
    switch(sandbox, expired=False)

    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    form = client.get("/signup").text

    assert "You have already registered for this purchase" in form
    assert 'value="Juniper"' in form
    client.post("/signup", data={"csrf_token": csrf_token(form), **ANSWERS, "company": "Juniper"})
    [registration] = all_rows(app, Registration)
    assert registration.company == "Juniper"


@on_sqlite
def test_second_purchase_keeps_first_registrations_answers(
    app: Flask, client: FlaskClient, sandbox: Sandbox, token: str
) -> None:
    client.post("/", data={TOKEN_FIELD: token})
    register(client)
    switch(sandbox, aws_down=False)
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="777788889999")})
    register(client, company="Ostrava Robotics", email="bob@example.com")
    switch(sandbox, expired=True)
    link(app)
    switch(sandbox, expired=False)

    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="012345678901")})

    assert 'value="Ada Lovelace"' in client.get("/signup").text


@pytest.mark.parametrize("is_linked", [False, True])
def test_second_browser_cannot_replace_unlinked_registration(
    app: Flask, client: FlaskClient, sandbox: Sandbox, token: str, is_linked: bool
) -> None:
    other = app.test_client()
    for browser in (client, other):
        browser.post("/", data={TOKEN_FIELD: token})
    form = csrf_token(other.get("/signup").text)
    register(client)
    if is_linked:
        switch(sandbox, aws_down=False)
        link(app)

    refused = other.post("/signup", data={**ANSWERS, "company": "Ostrava Robotics", "csrf_token": form})

    assert refused.status_code == 409
    assert [registration.company for registration in all_rows(app, Registration)] == ["Juniper & Lark"]
    assert "Ada Lovelace" not in other.get("/welcome").text


def test_sender_can_correct_unlinked_registration(app: Flask, client: FlaskClient, token: str) -> None:
    client.post("/", data={TOKEN_FIELD: token})
    register(client)

    form = csrf_token(client.get("/signup?change=").text)
    client.post("/signup", data={**ANSWERS, "company": "Juniper", "csrf_token": form})

    assert [registration.company for registration in all_rows(app, Registration)] == ["Juniper"]

"""Repeated landings: the same purchase again, another purchase, or several at the same instant."""

from concurrent.futures import ThreadPoolExecutor

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.database import transactions
from app.models import Subscription
from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.factories import PRODUCT_CODE, TOKEN_FIELD
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows


def register(client: FlaskClient) -> None:
    form = {**factories.ANSWERS, "csrf_token": csrf_token(client.get("/signup").text)}
    assert client.post("/signup", data=form).location == "/welcome"


def test_second_license_is_a_second_subscription(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="012345678901")})
    register(client)

    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="012345678901")})

    assert len(all_rows(app, Subscription)) == 2
    assert client.get("/signup").status_code == 200


def test_second_click_updates_the_same_subscription(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(Order(product_code=PRODUCT_CODE, free_trial=True))
    client.post(
        "/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase), "x-amzn-marketplace-offer-type": "free-trial"}
    )
    before = all_rows(app, Subscription)[0]

    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})

    [after] = all_rows(app, Subscription)
    assert after.id == before.id
    assert after.created_at == before.created_at
    assert after.last_seen_at
    assert before.last_seen_at
    assert after.last_seen_at > before.last_seen_at
    assert after.offer_type == "free-trial"


def test_concurrent_landings_store_one_subscription(app: Flask, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(Order(product_code=PRODUCT_CODE))
    tokens = [sandbox.marketplace.mint_token(purchase) for _ in range(8)]

    with ThreadPoolExecutor(len(tokens)) as buyers:
        responses = list(buyers.map(lambda token: app.test_client().post("/", data={TOKEN_FIELD: token}), tokens))

    assert {response.location for response in responses} == {"/signup"}
    assert len(all_rows(app, Subscription)) == 1


def test_registered_customer_lands_on_welcome_page(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(Order(product_code=PRODUCT_CODE))
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    register(client)

    other_browser = app.test_client()
    page = other_browser.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)}, follow_redirects=True)

    assert page.request.path == "/welcome"
    assert "https://app.acme.example/login" in page.text


def test_landing_does_not_revive_ended_subscription(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(Order(product_code=PRODUCT_CODE))
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    with app.app_context():
        transactions.write(lambda connection: connection.execute(update(Subscription).values(status="ended")))

    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})

    assert [subscription.status for subscription in all_rows(app, Subscription)] == ["ended"]


def test_failed_landing_clears_the_session(client: FlaskClient, sandbox: Sandbox) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})

    client.post("/", data={TOKEN_FIELD: "made up"})

    assert client.get("/signup").status_code == 403


def test_landing_clears_the_previous_session(client: FlaskClient, sandbox: Sandbox) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    register(client)

    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})

    with client.session_transaction() as session:
        assert "Registered" not in session


def test_other_buyer_cannot_replace_or_read_answers(client: FlaskClient, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(Order(product_code=PRODUCT_CODE))
    other = client.application.test_client()
    for browser in (client, other):
        browser.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    form = {**factories.ANSWERS, "csrf_token": csrf_token(other.get("/signup").text)}
    register(client)

    refused = other.post("/signup", data={**form, "full_name": "Grace Hopper", "email": "grace@example.com"})

    assert refused.status_code == 409
    assert "Someone else has registered" in refused.text
    assert "Ada Lovelace" in client.get("/welcome").text
    assert "Ada Lovelace" not in other.get("/welcome").text
    assert "ada@gmail.com" not in other.get("/welcome").text

"""The welcome page: what was registered, what happens next, and the way in."""

from datetime import UTC, datetime

import pytest
from flask import Flask, render_template
from flask.testing import FlaskClient
from sqlalchemy import text

from app import database, products
from app.models import Registration
from app.sandbox.purchases import Order
from app.sandbox.server import Sandbox
from app.views.visit import Visit
from tests import factories
from tests.factories import ANSWERS, CODE, TOKEN
from tests.pages import check_page, csrf_token


def register(client: FlaskClient, token: str) -> None:
    client.post("/", data={TOKEN: token})
    client.post("/signup", data={**ANSWERS, "csrf_token": csrf_token(client.get("/signup").text)})


def standing(app: Flask, client: FlaskClient, sandbox: Sandbox, status: str) -> str:
    """Return the welcome page of a customer who has registered and whose subscription has that status."""
    register(client, factories.token(sandbox))
    with app.app_context(), database.current().writing.begin() as connection:
        connection.execute(text("UPDATE subscriptions SET status = :status"), {"status": status})
    return " ".join(client.get("/welcome").text.split())


def test_the_buyer_sees_what_was_registered_and_what_happens_next(client: FlaskClient, sandbox: Sandbox) -> None:
    purchase = sandbox.world.buy(Order(product_code=CODE, account_id="012345678901"))

    register(client, sandbox.world.mint(purchase))
    page = client.get("/welcome").text

    assert "Juniper &amp; Lark" in page
    assert "Ada Lovelace" in page
    assert "ada@gmail.com" in page
    assert "•••• •••• 8901" in page
    assert str(purchase.agreement_id) in page
    assert "as soon as AWS Marketplace confirms the subscription" in page
    assert "https://app.acme.example/login" in page
    assert "help@acme.example" in page


def test_another_browser_with_the_same_purchase_does_not_see_the_persons_details(
    client: FlaskClient, sandbox: Sandbox
) -> None:
    purchase = sandbox.world.buy(Order(product_code=CODE))
    register(client, sandbox.world.mint(purchase))

    colleague = client.application.test_client()
    page = colleague.post("/", data={TOKEN: sandbox.world.mint(purchase)}, follow_redirects=True).text

    assert "Juniper &amp; Lark" in page
    assert "a•••@gmail.com" in page
    assert "ada@gmail.com" not in page
    assert "Lovelace" not in page
    assert "after ten" not in page


def test_a_buyer_who_has_not_registered_is_sent_to_the_form(client: FlaskClient, sandbox: Sandbox) -> None:
    client.post("/", data={TOKEN: sandbox.world.mint(sandbox.world.buy(Order(product_code=CODE)))})

    assert client.get("/welcome").location == "/signup"


def test_a_browser_without_a_purchase_is_told_what_to_do(client: FlaskClient) -> None:
    page = client.get("/welcome")

    assert page.status_code == 403
    assert "Manage subscriptions" in page.text


@pytest.mark.parametrize(
    ("status", "heading", "sentence"),
    [
        ("pending", "You are registered", "as soon as AWS Marketplace confirms the subscription"),
        ("active", "You are registered", "Your subscription is active."),
        ("ending", "Your subscription is ending", "Your access goes on until the subscription ends."),
        ("ended", "Your subscription has ended", "To come back, subscribe again on AWS Marketplace"),
        ("failed", "Your purchase is not confirmed", "AWS Marketplace could not confirm your purchase"),
    ],
)
def test_each_state_of_the_subscription_is_told_as_it_is(
    app: Flask, client: FlaskClient, sandbox: Sandbox, status: str, heading: str, sentence: str
) -> None:
    page = standing(app, client, sandbox, status)

    assert f"<h1>{heading}</h1>" in page
    assert f"<title> {heading} – Acme Insights </title>" in page
    assert sentence in page
    assert "Juniper &amp; Lark" in page


@pytest.mark.parametrize("status", ["ending", "ended", "failed"])
def test_no_access_is_promised_where_none_begins(
    app: Flask, client: FlaskClient, sandbox: Sandbox, status: str
) -> None:
    page = standing(app, client, sandbox, status)

    assert "You are registered" not in page
    assert "access begins" not in page
    assert 'aria-label="Progress"' not in page


@pytest.mark.parametrize("status", ["pending", "active", "ending", "ended"])
def test_the_way_in_stays(app: Flask, client: FlaskClient, sandbox: Sandbox, status: str) -> None:
    page = standing(app, client, sandbox, status)

    assert '<a class="button" href="https://app.acme.example/login">' in page


def test_a_failed_purchase_is_told_what_to_do(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    page = standing(app, client, sandbox, "failed")

    assert "for example because the payment did not go through" in page
    assert '<a href="https://console.aws.amazon.com/marketplace/">AWS Marketplace console</a>' in page
    assert 'write to <a href="mailto:help@acme.example">' in page
    assert 'class="button"' not in page


def test_a_registration_whose_subscription_was_not_found_reads_as_pending(app: Flask) -> None:
    now = datetime.now(UTC)
    registration = Registration(company="Juniper", full_name="Ada", email="ada@gmail.com", created_at=now)
    with app.test_request_context():
        product = products.current()[CODE]
        visit = Visit(factories.arrived(), product)

        page = render_template(
            "welcome.html", visit=visit, product=product, registration=registration, subscription=None, in_full=True
        )

    check_page(page)
    assert "<h1>You are registered</h1>" in page
    assert "as soon as AWS Marketplace confirms the subscription" in page

"""The welcome page: what was registered, what happens next, and the way in."""

from flask.testing import FlaskClient

from app.sandbox.purchases import Order
from app.sandbox.server import Sandbox
from tests.factories import ANSWERS, CODE, TOKEN
from tests.pages import csrf_token


def register(client: FlaskClient, token: str) -> None:
    client.post("/", data={TOKEN: token})
    client.post("/signup", data={**ANSWERS, "csrf_token": csrf_token(client.get("/signup").text)})


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

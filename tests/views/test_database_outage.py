"""Database outages: buyers reach the form, unsaved answers are never acknowledged, and recovery needs no restart."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.models import Registration
from sandbox.server import Sandbox
from tests.support import database_proxy, factories
from tests.support.database_proxy import DatabaseProxy
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.new_buyer import NewBuyer
from tests.support.page_checks import CheckedClient, csrf_token
from tests.support.stored_rows import all_rows


@pytest.fixture
def proxy(database_url: str) -> Iterator[DatabaseProxy]:
    with database_proxy.start(database_url) as proxy:
        yield proxy


@pytest.fixture(params=["alone", "with hand-offs and mail"])
def proxied_app(
    request: pytest.FixtureRequest, environment: pytest.MonkeyPatch, proxy: DatabaseProxy
) -> Iterator[Flask]:
    """The application, with its database behind the proxy."""
    environment.setenv("DATABASE_URL", proxy.url)
    if request.param != "alone":
        factories.enable_handoffs_and_mail(environment)
    with factories.open_app(create_app()) as app:
        app.test_client_class = CheckedClient
        yield app


@pytest.fixture
def buyer_client(proxied_app: Flask) -> FlaskClient:
    return proxied_app.test_client()


def test_landing_during_outage_is_stored_after_recovery(
    proxied_app: Flask, buyer_client: FlaskClient, sandbox: Sandbox, proxy: DatabaseProxy
) -> None:
    token = factories.token(sandbox, account_id="012345678901")
    proxy.disconnect(proxied_app)

    landing = buyer_client.post("/", data={TOKEN_FIELD: token})
    page = buyer_client.get("/signup")

    assert landing.location == "/signup"
    assert page.status_code == 200
    assert "•••• •••• 8901" in page.text
    proxy.reconnect()
    sent = buyer_client.post("/signup", data={"csrf_token": csrf_token(page.text), **ANSWERS})
    assert sent.location == "/welcome"
    assert buyer_client.get("/welcome").status_code == 200
    assert len(all_rows(proxied_app, Registration)) == 1


def test_answers_during_outage_are_returned_and_resendable(
    proxied_app: Flask, buyer_client: FlaskClient, sandbox: Sandbox, proxy: DatabaseProxy
) -> None:
    buyer_client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    form = {"csrf_token": csrf_token(buyer_client.get("/signup").text), **ANSWERS}
    proxy.disconnect(proxied_app)

    refused = buyer_client.post("/signup", data=form)

    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    assert 'value="Ada Lovelace"' in refused.text
    assert "Try again</button>" in refused.text
    proxy.reconnect()
    assert all_rows(proxied_app, Registration) == []
    assert buyer_client.post("/signup", data=form).location == "/welcome"
    assert [row.full_name for row in all_rows(proxied_app, Registration)] == ["Ada Lovelace"]


def test_invalid_answers_during_outage_are_shown_with_what_is_wrong(
    proxied_app: Flask, buyer_client: FlaskClient, sandbox: Sandbox, proxy: DatabaseProxy
) -> None:
    buyer_client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    form = {"csrf_token": csrf_token(buyer_client.get("/signup").text), **ANSWERS, "email": "ada"}
    proxy.disconnect(proxied_app)

    refused = buyer_client.post("/signup", data=form)

    assert refused.status_code == 422
    assert "Enter an email address like name@example.com." in refused.text
    proxy.reconnect()


def test_account_of_another_purchase_is_kept_through_an_outage(
    environment: pytest.MonkeyPatch, proxy: DatabaseProxy, request: pytest.FixtureRequest
) -> None:
    environment.setenv("DATABASE_URL", proxy.url)
    buyer: NewBuyer = request.getfixturevalue("new_buyer")
    app = buyer.client.application
    buyer.buy(account_id="012345678901")
    buyer.submit_form()
    buyer.deliver_handoffs(reference="juniper-1")
    first = buyer.product.deliveries[0]["data"]["subscription"]["id"]
    buyer.buy(account_id="012345678901")
    form = {"csrf_token": csrf_token(buyer.client.get("/signup").text), **ANSWERS, "account": first}
    proxy.disconnect(app)

    refused, page = buyer.client.post("/signup", data=form), buyer.client.get("/signup")

    proxy.reconnect()
    assert (refused.status_code, page.status_code) == (503, 200)
    assert f'value="{first}" checked>' in page.text
    assert buyer.client.post("/signup", data=form).location == "/welcome"
    assert first in {registration.account for registration in all_rows(app, Registration)}


def test_form_is_prefilled_after_outage(
    proxied_app: Flask, buyer_client: FlaskClient, sandbox: Sandbox, proxy: DatabaseProxy
) -> None:
    purchase = sandbox.marketplace.buy(factories.order())
    buyer_client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    form = {"csrf_token": csrf_token(buyer_client.get("/signup").text), **ANSWERS}
    proxy.disconnect(proxied_app)
    buyer_client.post("/signup", data=form)
    proxy.reconnect()

    buyer_client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    page = buyer_client.get("/signup").text

    assert 'value="Ada Lovelace"' in page
    assert "Please call\nafter ten." in page


def test_readiness_follows_database_outage(proxied_app: Flask, buyer_client: FlaskClient, proxy: DatabaseProxy) -> None:
    before = buyer_client.get("/readyz").status_code
    proxy.disconnect(proxied_app)
    meanwhile = buyer_client.get("/readyz").status_code
    proxy.reconnect()
    after = buyer_client.get("/readyz").status_code

    assert (before, meanwhile, after) == (200, 503, 200)


def test_aws_and_database_outage_offers_retry(
    proxied_app: Flask, buyer_client: FlaskClient, sandbox: Sandbox, proxy: DatabaseProxy
) -> None:
    token = factories.token(sandbox)
    sandbox.marketplace.change_faults(aws_down=True)
    proxy.disconnect(proxied_app)

    page = buyer_client.post("/", data={TOKEN_FIELD: token, "x-amzn-marketplace-offer-type": "free-trial"})

    assert page.status_code == 503
    assert "AWS Marketplace is slow to respond" in page.text
    assert "Try again</button>" in page.text
    assert f'value="{token}"' in page.text
    assert 'value="free-trial"' in page.text
    sandbox.reset()
    proxy.reconnect()


def test_retry_repeats_the_requested_page(
    proxied_app: Flask, buyer_client: FlaskClient, sandbox: Sandbox, proxy: DatabaseProxy
) -> None:
    buyer_client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    buyer_client.post("/signup", data={"csrf_token": csrf_token(buyer_client.get("/signup").text), **ANSWERS})
    proxy.disconnect(proxied_app)

    changing, paused = buyer_client.get("/welcome?change"), buyer_client.get("/welcome?still&other=1")

    assert changing.status_code == 503
    assert changing.headers["Refresh"] == "10; url=/welcome?change"
    assert '<input type="hidden" name="change" value="">' in changing.text
    assert "Refresh" not in paused.headers
    assert '<input type="hidden" name="still" value="">' in paused.text
    assert "other" not in paused.text

"""The database is away: buyers reach the form, nothing is acknowledged that is not kept, and it heals by itself."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.models import Registration
from sandbox.server import Sandbox
from tests import cable, factories
from tests.cable import Cable
from tests.factories import ANSWERS, TOKEN
from tests.pages import CheckedClient, csrf_token
from tests.stored import stored


@pytest.fixture
def laid(database_url: str) -> Iterator[Cable]:
    with cable.laid(database_url) as laid:
        yield laid


@pytest.fixture
def served(environment: pytest.MonkeyPatch, laid: Cable) -> Iterator[Flask]:
    """The application, with a cable to its database."""
    environment.setenv("DATABASE_URL", laid.url)
    with factories.running(create_app()) as app:
        app.test_client_class = CheckedClient
        yield app


@pytest.fixture
def buyer(served: Flask) -> FlaskClient:
    return served.test_client()


def test_a_landing_reaches_the_form_without_the_database_and_is_kept_once_it_is_back(
    served: Flask, buyer: FlaskClient, sandbox: Sandbox, laid: Cable
) -> None:
    token = factories.token(sandbox, account_id="012345678901")
    laid.pull(served)

    landing = buyer.post("/", data={TOKEN: token})
    page = buyer.get("/signup")

    assert landing.location == "/signup"
    assert page.status_code == 200
    assert "•••• •••• 8901" in page.text
    laid.mend()
    sent = buyer.post("/signup", data={"csrf_token": csrf_token(page.text), **ANSWERS})
    assert sent.location == "/welcome"
    assert "You are registered" in buyer.get("/welcome").text
    assert len(stored(served, Registration)) == 1


def test_answers_that_cannot_be_kept_come_back_whole_and_can_be_sent_once_more(
    served: Flask, buyer: FlaskClient, sandbox: Sandbox, laid: Cable
) -> None:
    buyer.post("/", data={TOKEN: factories.token(sandbox)})
    form = {"csrf_token": csrf_token(buyer.get("/signup").text), **ANSWERS}
    laid.pull(served)

    refused = buyer.post("/signup", data=form)

    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    assert 'value="Ada Lovelace"' in refused.text
    assert "Try again</button>" in refused.text
    laid.mend()
    assert stored(served, Registration) == []
    assert buyer.post("/signup", data=form).location == "/welcome"
    assert [row.full_name for row in stored(served, Registration)] == ["Ada Lovelace"]


def test_the_form_has_what_was_typed_when_the_buyer_comes_back_after_an_outage(
    served: Flask, buyer: FlaskClient, sandbox: Sandbox, laid: Cable
) -> None:
    purchase = sandbox.world.buy(factories.order())
    buyer.post("/", data={TOKEN: sandbox.world.mint(purchase)})
    form = {"csrf_token": csrf_token(buyer.get("/signup").text), **ANSWERS}
    laid.pull(served)
    buyer.post("/signup", data=form)
    laid.mend()

    buyer.post("/", data={TOKEN: sandbox.world.mint(purchase)})
    page = buyer.get("/signup").text

    assert 'value="Ada Lovelace"' in page
    assert "Please call\nafter ten." in page


def test_readiness_follows_the_database_without_a_restart(served: Flask, buyer: FlaskClient, laid: Cable) -> None:
    before = buyer.get("/readyz").status_code
    laid.pull(served)
    meanwhile = buyer.get("/readyz").status_code
    laid.mend()
    after = buyer.get("/readyz").status_code

    assert (before, meanwhile, after) == (200, 503, 200)


def test_with_aws_and_the_database_away_one_press_tries_again(
    served: Flask, buyer: FlaskClient, sandbox: Sandbox, laid: Cable
) -> None:
    token = factories.token(sandbox)
    sandbox.world.faults = sandbox.world.faults.model_copy(update={"aws_down": True})
    laid.pull(served)

    page = buyer.post("/", data={TOKEN: token, "x-amzn-marketplace-offer-type": "free-trial"})

    assert page.status_code == 503
    assert "AWS Marketplace is slow to answer" in page.text
    assert "Try again</button>" in page.text
    assert f'value="{token}"' in page.text
    assert 'value="free-trial"' in page.text
    sandbox.reset()
    laid.mend()


def test_the_page_that_was_asked_for_is_the_one_that_is_tried_again(
    served: Flask, buyer: FlaskClient, sandbox: Sandbox, laid: Cable
) -> None:
    buyer.post("/", data={TOKEN: factories.token(sandbox)})
    buyer.post("/signup", data={"csrf_token": csrf_token(buyer.get("/signup").text), **ANSWERS})
    laid.pull(served)

    changing, still = buyer.get("/welcome?change"), buyer.get("/welcome?still&other=1")

    assert changing.status_code == 503
    assert changing.headers["Refresh"] == "10; url=/welcome?change"
    assert '<input type="hidden" name="change" value="">' in changing.text
    assert "Refresh" not in still.headers
    assert '<input type="hidden" name="still" value="">' in still.text
    assert "other" not in still.text

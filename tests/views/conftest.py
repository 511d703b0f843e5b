"""Fixtures for tests of pages: a frozen clock, and browsers of buyers, purchasers and colleagues."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.support import asked_questions, factories
from tests.support.asked_questions import QUESTIONS
from tests.support.factories import TOKEN_FIELD
from tests.support.page_checks import CheckedClient
from tests.support.registered_buyer import NOW, RegisteredBuyer, land_and_register
from tests.views.colleagues import create_invitation


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that stands at `NOW` until a test moves it."""
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def purchase(sandbox: Sandbox) -> Purchase:
    """A purchase whose buyer has not landed yet."""
    return sandbox.marketplace.buy(factories.order())


@pytest.fixture
def registered_buyer(clock: time_machine.Traveller, client: FlaskClient, sandbox: Sandbox) -> RegisteredBuyer:
    purchase = sandbox.marketplace.buy(factories.order())
    land_and_register(client, sandbox.marketplace.mint_token(purchase))
    return RegisteredBuyer(client, purchase)


@pytest.fixture
def buyer_client(client: FlaskClient, sandbox: Sandbox) -> FlaskClient:
    """A browser that has landed with a purchase."""
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="012345678901")})
    return client


@pytest.fixture
def purchaser_client(clock: time_machine.Traveller, buyer_client: FlaskClient) -> FlaskClient:
    """A browser that has landed with a purchase, while the clock is frozen."""
    return buyer_client


@pytest.fixture
def invitation_link(app: Flask, buyer_client: FlaskClient) -> str:
    """The path of the link that the purchaser's colleague got."""
    return create_invitation(app)[1]


@pytest.fixture
def colleague_client(app: Flask, buyer_client: FlaskClient) -> FlaskClient:
    """Another browser, without a session."""
    return app.test_client()


@pytest.fixture
def mail_client(
    clock: time_machine.Traveller, environment: pytest.MonkeyPatch, sandbox: Sandbox
) -> Iterator[FlaskClient]:
    """A purchaser's browser at an application that sends mail."""
    environment.setenv("MAIL_FROM", "start@acme.example")
    environment.setenv("SITE_URL", "https://start.acme.example")
    with factories.open_app(create_app()) as app:
        app.test_client_class = CheckedClient
        client = app.test_client()
        client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
        yield client


@pytest.fixture
def token_during_outage(sandbox: Sandbox) -> str:
    """A buyer's token, while AWS is down."""
    token = factories.token(sandbox, account_id="012345678901")
    sandbox.marketplace.change_faults(aws_down=True)
    return token


@pytest.fixture
def open_client(environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., FlaskClient]]:
    """A function that returns a browser at an application that asks these questions."""
    with ExitStack() as applications:

        def open_browser(asked: list[dict[str, Any]] = QUESTIONS, **product: Any) -> FlaskClient:
            asked_questions.configure(environment, tmp_path, asked, **product)
            app = applications.enter_context(factories.open_app(create_app()))
            app.test_client_class = CheckedClient
            return app.test_client()

        yield open_browser

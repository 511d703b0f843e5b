"""What tests of pages share: a clock that stands, a buyer who has registered, and one who asks somebody else to."""

from collections.abc import Iterator

import pytest
import time_machine
from flask.testing import FlaskClient

from app import create_app
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.factories import TOKEN_FIELD
from tests.support.page_checks import CheckedClient
from tests.support.registered_buyer import NOW, RegisteredBuyer, land_and_register


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Five past two in the afternoon, until it is moved."""
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def registered_buyer(clock: time_machine.Traveller, client: FlaskClient, sandbox: Sandbox) -> RegisteredBuyer:
    purchase = sandbox.marketplace.buy(factories.order())
    land_and_register(client, sandbox.marketplace.mint_token(purchase))
    return RegisteredBuyer(client, purchase)


@pytest.fixture
def purchaser_client(clock: time_machine.Traveller, client: FlaskClient, sandbox: Sandbox) -> FlaskClient:
    """A browser that has just come with a purchase."""
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="012345678901")})
    return client


@pytest.fixture
def mail_client(
    clock: time_machine.Traveller, environment: pytest.MonkeyPatch, sandbox: Sandbox
) -> Iterator[FlaskClient]:
    """A purchaser's browser where mail is on."""
    environment.setenv("MAIL_FROM", "start@acme.example")
    environment.setenv("SITE_URL", "https://start.acme.example")
    with factories.open_app(create_app()) as app:
        app.test_client_class = CheckedClient
        client = app.test_client()
        client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
        yield client

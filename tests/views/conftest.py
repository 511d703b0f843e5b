"""What tests of the welcome page share: a clock that stands, and a buyer who has registered."""

from collections.abc import Iterator

import pytest
import time_machine
from flask.testing import FlaskClient

from app.sandbox.server import Sandbox
from tests import factories
from tests.views.buyers import NOW, Buyer, register


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Five past two in the afternoon, until it is moved."""
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def buyer(clock: time_machine.Traveller, client: FlaskClient, sandbox: Sandbox) -> Buyer:
    purchase = sandbox.world.buy(factories.order())
    register(client, sandbox.world.mint(purchase))
    return Buyer(client, purchase)

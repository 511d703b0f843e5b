"""A buyer on the way into a product that takes hand-offs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.config import handoff_endpoints
from app.services.delivery import send_handoff
from app.services.outbox import queue
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests import factories
from tests.factories import ANSWERS, CODE, TOKEN
from tests.pages import csrf_token
from tests.receiver import Receiver, answering
from tests.views.buyers import words


@dataclass
class Newcomer:
    """A buyer who has come from AWS Marketplace, and the product that they want to get into."""

    client: FlaskClient
    sandbox: Sandbox
    product: Receiver

    def buys(self, **order: Any) -> Purchase:
        """Buy, and land on the form."""
        purchase = self.sandbox.world.buy(factories.order(**order))
        self.client.post("/", data={TOKEN: self.sandbox.world.mint(purchase)})
        return purchase

    def sends(self, **answers: str) -> TestResponse:
        """Send the form."""
        form = self.client.get("/signup", query_string={"change": ""}).text
        return self.client.post("/signup", data={**ANSWERS, **answers, "csrf_token": csrf_token(form)})

    def registers(self, **answers: str) -> Purchase:
        """Buy and register."""
        purchase = self.buys()
        assert self.sends(**answers).status_code == 303
        return purchase

    def is_handed_off(self, status: int = 200, **said: Any) -> None:
        """Let everything that is due be handed off, and the product answer so."""
        self.product.reply = lambda _: answering(status, **said)
        with self.client.application.app_context():
            to = handoff_endpoints.of(CODE)
            while to and (claimed := queue.claim(queue.lane(CODE), datetime.now(UTC))):
                send_handoff.send(to, claimed, allow_private=True)

    def sees(self, path: str = "/welcome") -> str:
        """Return what a page says."""
        response = self.client.get(path)
        assert response.status_code == 200
        return words(response.text)

    def refresh(self) -> str | None:
        """Return when, and with which address, the welcome page comes again."""
        return self.client.get("/welcome").headers.get("Refresh")


@contextmanager
def later(**passed: float) -> Iterator[None]:
    """Let so much time pass."""
    with time_machine.travel(datetime.now(UTC) + timedelta(**passed)):
        yield

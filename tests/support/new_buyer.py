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
from tests.support import factories
from tests.support.factories import ANSWERS, PRODUCT_CODE, TOKEN_FIELD
from tests.support.handoff_receiver import HandoffReceiver, json_reply
from tests.support.page_checks import csrf_token
from tests.support.registered_buyer import visible_text


@dataclass
class NewBuyer:
    """A buyer who has come from AWS Marketplace, and the product that they want to get into."""

    client: FlaskClient
    sandbox: Sandbox
    product: HandoffReceiver

    def buy(self, **order: Any) -> Purchase:
        """Buy, and land on the form."""
        purchase = self.sandbox.marketplace.buy(factories.order(**order))
        self.client.post("/", data={TOKEN_FIELD: self.sandbox.marketplace.mint_token(purchase)})
        return purchase

    def submit_form(self, **answers: str) -> TestResponse:
        """Send the form."""
        form = self.client.get("/signup", query_string={"change": ""}).text
        return self.client.post("/signup", data={**ANSWERS, **answers, "csrf_token": csrf_token(form)})

    def register(self, **answers: str) -> Purchase:
        """Buy and register."""
        purchase = self.buy()
        assert self.submit_form(**answers).status_code == 303
        return purchase

    def deliver_handoffs(self, status: int = 200, **reply_body: Any) -> None:
        """Let everything that is due be handed off, and the product answer so."""
        self.product.reply = lambda _: json_reply(status, **reply_body)
        with self.client.application.app_context():
            to = handoff_endpoints.for_product(PRODUCT_CODE)
            while to and (claimed := queue.claim(queue.handoff_lane(PRODUCT_CODE), datetime.now(UTC))):
                send_handoff.send(to, claimed, allow_private=True)

    def page_text(self, path: str = "/welcome") -> str:
        """Return what a page says."""
        response = self.client.get(path)
        assert response.status_code == 200
        return visible_text(response.text)

    def refresh_header(self) -> str | None:
        """Return when, and with which address, the welcome page comes again."""
        return self.client.get("/welcome").headers.get("Refresh")


@contextmanager
def time_passes(**passed: float) -> Iterator[None]:
    """Let so much time pass."""
    with time_machine.travel(datetime.now(UTC) + timedelta(**passed)):
        yield

"""A buyer who signs up for a product that receives hand-offs."""

from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.config import products
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
    """A buyer's browser, the AWS Marketplace they buy on, and the product they buy."""

    client: FlaskClient
    sandbox: Sandbox
    product: HandoffReceiver

    def buy(self, **order: Any) -> Purchase:
        """Buy and land on the form."""
        purchase = self.sandbox.marketplace.buy(factories.order(**order))
        self.client.post("/", data={TOKEN_FIELD: self.sandbox.marketplace.mint_token(purchase)})
        return purchase

    def land_in_other_browser(self, purchase: Purchase) -> FlaskClient:
        """Return another browser, which has landed with the same purchase."""
        browser: FlaskClient = self.client.application.test_client()
        browser.post("/", data={TOKEN_FIELD: self.sandbox.marketplace.mint_token(purchase)})
        return browser

    def submit_form(self, **answers: str) -> TestResponse:
        form = self.client.get("/signup", query_string={"change": ""}).text
        return self.client.post("/signup", data={**ANSWERS, **answers, "csrf_token": csrf_token(form)})

    def register(self, **answers: str) -> Purchase:
        purchase = self.buy()
        assert self.submit_form(**answers).status_code == 303
        return purchase

    def deliver_handoffs(self, status: int = 200, **reply_body: Any) -> None:
        """Send every due hand-off; the product gives this reply to each."""
        self.product.reply = lambda _: json_reply(status, **reply_body)
        with self.client.application.app_context():
            endpoint = products.current().handoff_endpoints.get(PRODUCT_CODE)
            while endpoint and (claimed := queue.claim(queue.handoff_lane(PRODUCT_CODE))):
                send_handoff.send(endpoint, claimed, allow_private=True)

    def page_text(self, path: str = "/welcome") -> str:
        """Return the words of a page, without its tags."""
        response = self.client.get(path)
        assert response.status_code == 200
        return visible_text(response.text)

    def refresh_header(self) -> str | None:
        """Return the welcome page's Refresh header."""
        return self.client.get("/welcome").headers.get("Refresh")

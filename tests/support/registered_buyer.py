"""A registered buyer: applies events to their purchase, and reads their welcome page."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import update

from app.database import transactions
from app.models import Subscription
from app.services.events import apply
from sandbox.purchases import Purchase
from tests.support.aws_events import eventbridge_event, parse_event
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import csrf_token

NOW = datetime(2026, 11, 3, 14, 5, tzinfo=UTC)
VALID_SEATS = {"dimension": "seats", "value": 1500, "expires_at": "2027-11-03T00:00:00+00:00"}
EXPIRED_SEATS = {"dimension": "seats", "value": 25, "expires_at": "2026-11-02T00:00:00+00:00"}
TAGS = re.compile(r"<[^>]*>")


@dataclass
class RegisteredBuyer:
    """The buyer's browser, their purchase, and how soon the last welcome page refreshed itself."""

    client: FlaskClient
    purchase: Purchase
    refresh_seconds: str | None = None

    def welcome_text(self) -> str:
        """Return the words of the welcome page; keep the seconds after which it refreshes itself."""
        response = self.client.get("/welcome")
        assert response.status_code == 200
        seconds, _, target = response.headers.get("Refresh", "").partition("; ")
        assert target == ("url=/welcome" if seconds else "")
        self.refresh_seconds = seconds or None
        return visible_text(response.text)

    def receive_event(self, kind: str, happened_at: datetime = NOW, **overrides: Any) -> None:
        """Apply an event about the purchase."""
        license_id = str(self.purchase.license_arn).rpartition(":")[2]
        names = {"agreement": self.purchase.agreement_id, "account": self.purchase.account_id, "license": license_id}
        with self.client.application.app_context():
            apply.ingest(parse_event(eventbridge_event(kind, happened_at, **names | overrides)))

    def set_entitlements(self, *entitlements: dict[str, Any], read_at: datetime = NOW) -> None:
        """Store these as AWS's answer to GetEntitlements."""
        self.update_subscription(entitlements=list(entitlements), entitlements_read_at=read_at, review_at=None)

    def update_subscription(self, **values: Any) -> None:
        """Write these values to the subscription's row."""
        with self.client.application.app_context(), transactions.current_database().write_engine.begin() as connection:
            connection.execute(update(Subscription).values(values))


def land_and_register(client: FlaskClient, token: str, **landing_fields: str) -> None:
    client.post("/", data={TOKEN_FIELD: token, **landing_fields})
    client.post("/signup", data={**ANSWERS, "csrf_token": csrf_token(client.get("/signup").text)})


def visible_text(page: str) -> str:
    """Return the words of a page, without its tags."""
    return " ".join(TAGS.sub(" ", page).replace(" ,", ",").split()).replace(" .", ".")

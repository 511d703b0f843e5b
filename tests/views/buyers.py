"""A buyer who has registered, what AWS says of their purchase, and what the welcome page then says to them."""

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
from tests.events import eventbridge, notice
from tests.factories import ANSWERS, TOKEN
from tests.pages import csrf_token

NOW = datetime(2026, 11, 3, 14, 5, tzinfo=UTC)
UPDATED, DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"
CREATED, AMENDED = "Purchase Agreement Created - Proposer", "Purchase Agreement Amended - Proposer"
ENDED = "Purchase Agreement Ended - Proposer"
SEATS = {"dimension": "seats", "value": 1500, "expires_at": "2027-11-03T00:00:00+00:00"}
OVER = {"dimension": "seats", "value": 25, "expires_at": "2026-11-02T00:00:00+00:00"}
TAGS = re.compile(r"<[^>]*>")


@dataclass
class Buyer:
    """A buyer who has registered, and what AWS says of their purchase."""

    client: FlaskClient
    purchase: Purchase
    refresh: str | None = None

    def sees(self) -> str:
        """Return what the welcome page says, and remember after how many seconds it looks again."""
        response = self.client.get("/welcome")
        assert response.status_code == 200
        refresh, _, again = response.headers.get("Refresh", "").partition("; ")
        assert again == ("url=/welcome" if refresh else "")
        self.refresh = refresh or None
        return words(response.text)

    def is_told(self, kind: str, happened_at: datetime = NOW, **about: Any) -> None:
        """Let an event about the purchase arrive."""
        license_id = str(self.purchase.license_arn).rpartition(":")[2]
        its = {"agreement": self.purchase.agreement_id, "account": self.purchase.account_id, "license": license_id}
        with self.client.application.app_context():
            apply.receive(notice(eventbridge(kind, happened_at, **its | about)))

    def holds(self, *held: dict[str, Any], read_at: datetime = NOW) -> None:
        """Let this be what AWS said when it was asked for the entitlements."""
        self.has(entitlements=list(held), entitlements_read_at=read_at, review_at=None)

    def has(self, **values: Any) -> None:
        """Write these values on the subscription's row."""
        with self.client.application.app_context(), transactions.current().writing.begin() as connection:
            connection.execute(update(Subscription).values(values))


def register(client: FlaskClient, token: str, **said: str) -> None:
    client.post("/", data={TOKEN: token, **said})
    client.post("/signup", data={**ANSWERS, "csrf_token": csrf_token(client.get("/signup").text)})


def words(page: str) -> str:
    """Return what a page says, without its tags."""
    return " ".join(TAGS.sub(" ", page).replace(" ,", ",").split()).replace(" .", ".")

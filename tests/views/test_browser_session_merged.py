"""A session whose subscription was merged into another, or is gone."""

from datetime import datetime
from uuid import uuid4

import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.database import transactions
from app.models import Subscription
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.aws_events import AGREEMENT_CREATED, LICENSE_UPDATED
from tests.support.factories import TOKEN_FIELD
from tests.support.registered_buyer import RegisteredBuyer, land_and_register


def test_merged_subscription_keeps_the_buyers_registration(
    clock: time_machine.Traveller, client: FlaskClient, sandbox: Sandbox
) -> None:
    buyer = RegisteredBuyer(client, sandbox.marketplace.buy(factories.order()))
    buyer.receive_event(LICENSE_UPDATED, agreement="agmt-before", license="l-before")
    land_and_register(client, sandbox.marketplace.mint_token(buyer.purchase))
    ids_before = subscription_ids(client.application)
    buyer.receive_event(AGREEMENT_CREATED, previous="agmt-before")

    page = buyer.welcome_text()

    assert "Ada Lovelace" in page
    [kept_id] = subscription_ids(client.application)
    assert kept_id == ids_before[0]
    with client.session_transaction() as session:
        assert session["SubscriptionId"] == kept_id
    assert buyer.welcome_text() == page


def test_unknown_subscription_redirects_to_form(registered_buyer: RegisteredBuyer) -> None:
    with registered_buyer.client.session_transaction() as session:
        session["SubscriptionId"] = str(uuid4())
        session["LicenseArn"] = "arn:aws:license-manager::123456789012:license:l-another"

    assert registered_buyer.client.get("/welcome").location == "/signup"


def test_redirect_to_form_does_not_update_last_seen(client: FlaskClient, sandbox: Sandbox) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    landed_at = last_seen(client.application)

    assert client.get("/welcome").location == "/signup"

    assert last_seen(client.application) == landed_at


def last_seen(app: Flask) -> datetime | None:
    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        return connection.execute(select(Subscription.last_seen_at)).scalar_one()


def subscription_ids(app: Flask) -> list[str]:
    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        return [
            str(subscription_id)
            for subscription_id in connection.execute(select(Subscription.id).order_by("id")).scalars()
        ]

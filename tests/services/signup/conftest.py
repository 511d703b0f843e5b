"""Fixtures for tests of the sign-up: a frozen clock, a stored subscription, and pending tokens."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
import time_machine
from flask import Flask

from app.services.purchases import subscriptions
from app.services.purchases.purchase import Pending, UnverifiedFields
from app.services.signup import pending_tokens
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.pending_purchases import StorePendingToken


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that stands still until a test moves it."""
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        yield clock


@pytest.fixture
def subscription_id(app: Flask) -> UUID:
    """A purchase whose buyer has landed."""
    with app.app_context():
        return subscriptions.upsert_from_landing(factories.landing())


@pytest.fixture
def store_pending_token(app: Flask, sandbox: Sandbox) -> StorePendingToken:
    """A function that stores the token of a new purchase as pending."""

    def store() -> Pending:
        with app.app_context():
            unverified = UnverifiedFields("free-trial", {"product-id": "prod-1"})
            return pending_tokens.store(factories.token(sandbox), unverified)

    return store

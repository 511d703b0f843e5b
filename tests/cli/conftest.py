"""Fixtures that store customers for the operator's commands."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from app.services.purchases import subscriptions
from app.services.purchases.purchase import UnverifiedFields
from app.services.signup import registrations
from tests.support import factories

CreateSubscription = Callable[..., UUID]
CreateRegistration = Callable[..., UUID]


@pytest.fixture
def create_subscription(app: Flask) -> CreateSubscription:
    """Stores a customer's landing, without a registration; returns the subscription's id."""

    def land(**customer: Any) -> UUID:
        with app.app_context():
            return subscriptions.upsert_from_landing(
                replace(factories.landing(**customer), unverified=UnverifiedFields("free-trial"))
            )

    return land


@pytest.fixture
def create_registration(app: Flask) -> CreateRegistration:
    """Stores a registration of a customer with the given values; returns its id."""

    def complete(customer: dict[str, Any] | None = None, **answers: Any) -> UUID:
        with app.app_context():
            return registrations.complete(
                factories.resolved(**customer or {}), factories.answers(**answers)
            ).registration_id

    return complete

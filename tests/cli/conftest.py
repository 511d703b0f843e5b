"""Customers to ask the operator's commands about."""

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
    """Lets a customer come to the door and go no further; returns the subscription's id."""

    def arrive(**customer: Any) -> UUID:
        with app.app_context():
            return subscriptions.upsert_from_landing(
                replace(factories.landing(**customer), unverified=UnverifiedFields("free-trial"))
            )

    return arrive


@pytest.fixture
def create_registration(app: Flask) -> CreateRegistration:
    """Lets a customer, the values given being theirs, send the sign-up form; returns the registration's id."""

    def complete(customer: dict[str, Any] | None = None, **answers: Any) -> UUID:
        with app.app_context():
            return registrations.complete(
                factories.resolved(**customer or {}), factories.answers(**answers)
            ).registration_id

    return complete

"""The audit: each deed once, however often the same form comes."""

import pytest
from flask import Flask

from app.models import AuditEntry
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Purchase, Resolved, UnverifiedFields
from app.services.signup import pending_tokens, registrations
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.stored_rows import all_rows


@pytest.fixture(params=["linked", "parked"])
def purchase(request: pytest.FixtureRequest, app: Flask, sandbox: Sandbox) -> Purchase:
    """A purchase that AWS has told us about, or one that it has yet to tell of."""
    with app.app_context():
        if request.param == "parked":
            return pending_tokens.store(factories.token(sandbox), UnverifiedFields())
        arrival = factories.landing()
        return Resolved(arrival, subscriptions.upsert_from_landing(arrival))


def test_the_same_form_twice_is_one_deed_and_a_changed_one_another(app: Flask, purchase: Purchase) -> None:
    with app.app_context():
        for company in ("Juniper", "Juniper", "Lark", "Lark"):
            registrations.complete(purchase, factories.answers(company=company))

    deeds = [(entry.action, entry.actor) for entry in all_rows(app, AuditEntry)]
    assert deeds == [("registration.completed", "buyer"), ("registration.updated", "buyer")]

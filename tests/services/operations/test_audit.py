"""The audit log: each action once, however often the same form is sent."""

import pytest
from flask import Flask

from app.models import AuditEntry
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Purchase, Resolved, UnverifiedFields
from app.services.signup import pending_tokens, registrations
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.stored_rows import all_rows


@pytest.fixture(params=["resolved", "pending"])
def purchase(request: pytest.FixtureRequest, app: Flask, sandbox: Sandbox) -> Purchase:
    """A purchase that AWS has resolved, or one that is still pending."""
    with app.app_context():
        if request.param == "pending":
            return pending_tokens.store(factories.token(sandbox), UnverifiedFields())
        landing = factories.landing()
        return Resolved(landing, subscriptions.upsert_from_landing(landing))


def test_same_form_is_recorded_once_and_a_changed_one_again(app: Flask, purchase: Purchase) -> None:
    with app.app_context():
        for company in ("Juniper", "Juniper", "Lark", "Lark"):
            registrations.complete(purchase, factories.answers(company=company))

    actions = [(entry.action, entry.actor) for entry in all_rows(app, AuditEntry)]
    assert actions == [("registration.completed", "buyer"), ("registration.updated", "buyer")]

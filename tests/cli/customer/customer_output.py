"""Reads what `foyer customer --json` prints, and stores a registration without a purchase."""

import json
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskCliRunner

from app.services.purchases.purchase import UnverifiedFields
from app.services.signup import pending_tokens, registrations
from tests.support import factories


def show(runner: FlaskCliRunner, *who: str) -> dict[str, Any]:
    """Return the one customer as JSON."""
    result = runner.invoke(args=["customer", "--json", *who])
    assert result.exit_code == 0, result.stderr
    shown: dict[str, Any] = json.loads(result.stdout)
    return shown


def findings(runner: FlaskCliRunner, *who: str) -> list[tuple[str, str]]:
    """Return the level and the command of everything that is wrong."""
    return [(finding["level"], finding["command"]) for finding in show(runner, *who)["findings"]]


def store_without_purchase(app: Flask) -> UUID:
    with app.app_context():
        purchase = pending_tokens.store("unresolved", UnverifiedFields(None))
        return registrations.complete(purchase, factories.answers(company="Pending GmbH")).registration_id

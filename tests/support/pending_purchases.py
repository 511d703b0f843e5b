"""Pending purchases in tests: the buyer's registration, the token's stored row, and the worker's next try."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import time_machine
from flask import Flask
from sqlalchemy import Row

from app.services.purchases.purchase import Pending, UnverifiedFields
from app.services.signup import pending_tokens, registrations, retry_pending
from app.services.signup.registrations import StoredRegistration
from tests.support import factories

StorePendingToken = Callable[[], Pending]


def register_before_purchase(app: Flask, token: str, **answers: str) -> tuple[Pending, StoredRegistration]:
    """Register with a token that AWS has not resolved yet; return the pending purchase and what was stored."""
    with app.app_context():
        pending = pending_tokens.store(token, UnverifiedFields())
        return pending, registrations.complete(pending, factories.answers(**answers))


def resolve_pending(app: Flask, **passed: float) -> bool | None:
    """Let the worker try the next pending token after that time; return its result."""
    with app.app_context(), time_machine.travel(datetime.now(UTC) + timedelta(**passed), tick=False):
        return retry_pending.resolve_next()


def stored_token(app: Flask, token_id: UUID) -> Row[Any]:
    """Return the row of the pending token, which has to exist."""
    with app.app_context():
        token = pending_tokens.find(token_id)
    assert token
    return token

"""Pending purchases in tests: a token's stored row, the worker's next try, and the sandbox's faults."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import time_machine
from flask import Flask
from sqlalchemy import Row

from app.services.purchases.purchase import Pending
from app.services.signup import pending_tokens, retry_pending
from sandbox.server import Sandbox

StorePendingToken = Callable[[], Pending]


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


def set_faults(sandbox: Sandbox, **faults: object) -> None:
    """Switch faults of the sandbox's AWS on or off, and leave the others as they are."""
    sandbox.marketplace.faults = sandbox.marketplace.faults.model_copy(update=faults)

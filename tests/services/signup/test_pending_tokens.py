"""Stored pending tokens: how many, readable with which key, and when they are purged."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import insert

from app import create_app
from app.database import transactions
from app.models import PendingToken
from app.services.purchases.purchase import UnverifiedFields
from app.services.signup import pending_tokens, registrations
from app.services.signup.pending_tokens import PendingTokensFull
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.pending_purchases import StorePendingToken, resolve_pending, stored_token


def test_token_stored_under_the_previous_key_is_still_resolved(
    environment: pytest.MonkeyPatch, app: Flask, store_pending_token: StorePendingToken
) -> None:
    pending = store_pending_token()
    environment.setenv("SECRET_KEY", "the-next-key-0123456789")
    environment.setenv("SECRET_KEY_FALLBACKS", factories.SECRET_KEY)

    with factories.open_app(create_app()) as rotated_app:
        assert resolve_pending(rotated_app, seconds=3) is True

    assert stored_token(app, pending.id).subscription_id


def test_token_is_given_up_when_its_key_is_no_longer_set(
    environment: pytest.MonkeyPatch, app: Flask, store_pending_token: StorePendingToken
) -> None:
    pending = store_pending_token()
    environment.setenv("SECRET_KEY", "a-new-key-without-the-old-one")

    with factories.open_app(create_app()) as rotated_app:
        assert resolve_pending(rotated_app, seconds=3) is True

    assert stored_token(app, pending.id).fault == "ExpiredToken"


def test_number_of_pending_tokens_is_limited(app: Flask, sandbox: Sandbox) -> None:
    stored = factories.token(sandbox)
    now = datetime.now(UTC)
    rows = [
        {"digest": number.to_bytes(32, "big"), "sealed": b"x", "parked_at": now, "next_try_at": now}
        for number in range(pending_tokens.MAX_PENDING - 1)
    ]
    with app.app_context():
        pending_tokens.store(stored, UnverifiedFields())
        transactions.write(lambda connection: connection.execute(insert(PendingToken), rows))

        with pytest.raises(PendingTokensFull, match="TooManyParked"):
            pending_tokens.store(factories.token(sandbox), UnverifiedFields())

        assert pending_tokens.store(stored, UnverifiedFields())


def test_settled_token_is_purged_unless_a_registration_needs_it(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    unregistered, registered = store_pending_token(), store_pending_token()
    with app.app_context():
        registrations.complete(registered, factories.answers())
    for minutes in (1, 2):
        resolve_pending(app, minutes=minutes)
    given_up = store_pending_token()
    with app.app_context():
        registrations.complete(given_up, factories.answers())
    resolve_pending(app, hours=5)

    def purge(**passed: float) -> int:
        with app.app_context(), time_machine.travel(datetime.now(UTC) + timedelta(**passed), tick=False):
            return pending_tokens.purge()

    assert purge(hours=24) == 0
    assert purge(hours=31) == 2
    with app.app_context():
        assert pending_tokens.find(unregistered.id) is None
        assert pending_tokens.find(given_up.id)

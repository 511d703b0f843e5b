"""The worker tries a pending token until AWS resolves it, AWS refuses it, or its lifetime is over."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask

from app.services.signup import retry_pending
from sandbox.server import Sandbox
from tests.support.pending_purchases import StorePendingToken, resolve_pending, stored_token


def test_token_is_not_tried_before_it_is_due(app: Flask, store_pending_token: StorePendingToken) -> None:
    store_pending_token()

    assert resolve_pending(app, seconds=1) is None
    assert resolve_pending(app, seconds=3) is True


def test_resolved_token_is_erased_and_keeps_its_subscription(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    pending = store_pending_token()

    resolve_pending(app, seconds=3)

    token = stored_token(app, pending.id)
    assert (token.sealed, token.next_try_at, token.fault) == (None, None, None)
    assert token.subscription_id
    assert token.settled_at


@pytest.mark.parametrize("fault", ["aws_down", "access_denied", "credentials_expired", "api_disabled", "no_customer"])
def test_token_is_retried_after_a_temporary_error(
    app: Flask, sandbox: Sandbox, store_pending_token: StorePendingToken, fault: str
) -> None:
    pending = store_pending_token()
    sandbox.marketplace.change_faults(**{fault: True})

    outcomes = [resolve_pending(app, minutes=minutes) for minutes in (1, 2, 3)]

    token = stored_token(app, pending.id)
    assert outcomes == [False, False, False]
    assert token.tries == 3
    assert token.sealed
    assert token.fault
    sandbox.marketplace.change_faults(**{fault: False})
    assert resolve_pending(app, minutes=4) is True


def test_backoff_grows_up_to_a_limit(app: Flask, sandbox: Sandbox, store_pending_token: StorePendingToken) -> None:
    pending = store_pending_token()
    sandbox.marketplace.change_faults(aws_down=True)
    backoffs = []
    for minutes in range(10, 160, 10):
        tried_at = datetime.now(UTC) + timedelta(minutes=minutes)
        with app.app_context(), time_machine.travel(tried_at, tick=False):
            retry_pending.resolve_next()
        next_try_at = stored_token(app, pending.id).next_try_at
        assert next_try_at
        backoffs.append((next_try_at - tried_at).total_seconds())

    assert all(1.9 <= backoff <= 300.1 for backoff in backoffs)
    assert max(backoffs[:2]) <= 8.1
    assert max(backoffs[5:]) > 30


@pytest.mark.parametrize(("fault", "name"), [("invalid", "InvalidToken"), ("expired", "ExpiredToken")])
def test_token_that_aws_refuses_is_given_up_and_erased(
    app: Flask, sandbox: Sandbox, store_pending_token: StorePendingToken, fault: str, name: str
) -> None:
    pending = store_pending_token()
    sandbox.marketplace.change_faults(**{fault: True})

    assert resolve_pending(app, seconds=3) is True

    token = stored_token(app, pending.id)
    assert (token.sealed, token.next_try_at, token.fault, token.subscription_id) == (None, None, name, None)


def test_token_is_given_up_after_four_hours_without_a_reply_of_aws(
    app: Flask, sandbox: Sandbox, store_pending_token: StorePendingToken
) -> None:
    pending = store_pending_token()
    sandbox.marketplace.change_faults(aws_down=True)

    assert resolve_pending(app, hours=3, minutes=59) is False
    assert resolve_pending(app, hours=4, minutes=6) is True

    token = stored_token(app, pending.id)
    assert (token.sealed, token.fault) == (None, "MarketplaceUnavailable")


def test_token_is_given_up_after_five_hours_without_a_try(app: Flask, store_pending_token: StorePendingToken) -> None:
    pending = store_pending_token()

    assert resolve_pending(app, hours=5, minutes=1) is True

    token = stored_token(app, pending.id)
    assert (token.sealed, token.subscription_id) == (None, None)


def test_token_is_retried_until_its_product_is_configured(
    app: Flask, sandbox: Sandbox, store_pending_token: StorePendingToken
) -> None:
    pending = store_pending_token()
    sandbox.marketplace.change_faults(other_product=True)

    assert resolve_pending(app, seconds=3) is True

    token = stored_token(app, pending.id)
    assert token.sealed
    assert token.fault == "UnknownProduct"
    sandbox.marketplace.change_faults(other_product=False)
    resolve_pending(app, minutes=10)
    assert stored_token(app, pending.id).subscription_id

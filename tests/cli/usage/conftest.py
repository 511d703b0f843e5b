"""Fixtures for the commands about usage."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from flask import Flask

from tests.cli.conftest import CreateSubscription
from tests.support.usage_clock import UsageClock, usage_time


@pytest.fixture
def clock() -> Iterator[UsageClock]:
    """The time of usage: 14:30 on 28 November 2026, until the test sets another."""
    with usage_time() as clock:
        yield clock


@pytest.fixture
def subscription_id(app: Flask, clock: UsageClock, create_subscription: CreateSubscription) -> UUID:
    """A subscription that is metered by its license."""
    return create_subscription()

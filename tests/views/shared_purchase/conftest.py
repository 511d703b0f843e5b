"""Fixtures of two people who register for one purchase: a product that is down, and a second browser."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tests.support import handoff_receiver
from tests.support.new_buyer import NewBuyer
from tests.support.one_account_product import OneAccountProduct


@pytest.fixture
def product() -> Iterator[OneAccountProduct]:
    """A product of one account for each subscription, which is down."""
    product = OneAccountProduct(is_away=True)
    with handoff_receiver.serve(product):
        yield product


@pytest.fixture
def bob(new_buyer: NewBuyer) -> FlaskClient:
    """Bob's browser; Ada's is the buyer's."""
    browser: FlaskClient = new_buyer.client.application.test_client()
    return browser

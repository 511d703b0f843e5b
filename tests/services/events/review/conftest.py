"""A seller of contracts: AWS Marketplace, and the application."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app import create_app
from app.config.products import Product
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.factories import PRODUCT_CODE


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[Sandbox]:
    """An AWS Marketplace that sells a contract."""
    with Sandbox([Product(code=PRODUCT_CODE, **{**factories.PRODUCT_FIELDS, "pricing": "contract"})]) as sandbox:
        yield sandbox


@pytest.fixture
def app(environment: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application of a seller of contracts."""
    environment.setenv("PRODUCT_PRICING", "contract")
    with factories.open_app(create_app()) as app:
        yield app

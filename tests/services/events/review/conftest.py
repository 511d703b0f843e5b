"""A seller of contracts: AWS Marketplace, and the application."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app import create_app
from sandbox.server import Sandbox
from tests.support import contract_purchases, factories


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[Sandbox]:
    """An AWS Marketplace that sells a contract."""
    with contract_purchases.serve_marketplace() as sandbox:
        yield sandbox


@pytest.fixture
def app(environment: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application of a seller of contracts."""
    environment.setenv("PRODUCT_PRICING", "contract")
    with factories.open_app(create_app()) as app:
        yield app

"""A purchase to resolve, and the command in an environment without a database."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from app import create_app
from sandbox.purchases import Order, Purchase
from sandbox.server import Sandbox
from tests.support import factories


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, tmp_path: Path) -> pytest.MonkeyPatch:
    """A seller's environment, without the developer's own AWS settings."""
    factories.clear_environment(monkeypatch)
    for name, value in factories.environment(f"sqlite:///{tmp_path / 'foyer.db'}", sandbox.aws_url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    return monkeypatch


@pytest.fixture
def purchase(sandbox: Sandbox) -> Purchase:
    return sandbox.marketplace.buy(Order(product_code=factories.PRODUCT_CODE, account_id="044455556666"))


@pytest.fixture
def token(sandbox: Sandbox, purchase: Purchase) -> str:
    return sandbox.marketplace.mint_token(purchase)


@pytest.fixture
def run_resolve_customer(environment: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command in a new application, so that it reads the environment now."""

    def run(*args: str) -> Result:
        with factories.open_app(create_app()) as app:
            return app.test_cli_runner().invoke(args=["resolve-customer", *args])

    return run

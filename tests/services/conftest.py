"""A product whose usage is metered."""

from collections.abc import Iterator

import pytest
from flask import Flask

from sandbox.server import Sandbox
from tests.support import metered_product
from tests.support.metered_product import MeteredProduct


@pytest.fixture
def metered(app: Flask, sandbox: Sandbox) -> Iterator[MeteredProduct]:
    """A product whose usage is metered, at 09:30 on 28 November 2026."""
    with metered_product.open_product(app, sandbox) as product:
        yield product

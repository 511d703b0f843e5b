"""A products file with one product, to which a test adds lines: what is read, and why it is refused."""

from pathlib import Path

import pytest

from app.config import products
from app.config.products import Product
from app.config.settings import SettingsError
from tests.support import factories

PRODUCT = """
[products.first]
name = "Acme Insights"
sign_in_url = "https://app.acme.example/login"
support_email = "help@acme.example"
"""


def load(folder: Path, text: str) -> Product:
    """Write the file with the text after the product's own fields, and return the product."""
    file = folder / "products.toml"
    file.write_text(f"{PRODUCT}\n{text}", encoding="utf-8")
    return products.load(factories.settings(products_file=file, product_code=None))["first"]


def refusal(folder: Path, text: str) -> str:
    """Return what is said of the file with the text."""
    with pytest.raises(SettingsError) as raised:
        load(folder, text)
    return str(raised.value)

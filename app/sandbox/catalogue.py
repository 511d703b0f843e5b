"""The products on the storefront's shelves when nobody names others."""

import tomllib
from pathlib import Path

from app.products import Product

PRODUCTS_FILE = Path(__file__).with_name("products.toml")


def load(path: Path = PRODUCTS_FILE) -> list[Product]:
    """Return the products in a products.toml, in the file's order."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))["products"]
    return [Product.model_validate({**fields, "code": code}) for code, fields in tables.items()]

"""The default products of the storefront, read from products.toml."""

import tomllib
from pathlib import Path
from typing import Any

from app.config.products import Product

PRODUCTS_FILE = Path(__file__).with_name("products.toml")
# The example product's address in that file; `write_products_file` replaces it.
EXAMPLE_URL = "http://127.0.0.1:8003"


def load_products(path: Path = PRODUCTS_FILE) -> list[Product]:
    """Return the products in the order of the file."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))["products"]
    return [Product(**_without_usage(table), code=code) for code, table in tables.items()]


def _without_usage(table: dict[str, Any]) -> dict[str, Any]:
    # By which rules Foyer meters is of no concern to AWS, nor to the product.
    return {name: value for name, value in table.items() if name != "usage"}


def write_products_file(path: Path, example_url: str) -> None:
    """Write a copy of our products.toml with the example product's actual URL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PRODUCTS_FILE.read_text(encoding="utf-8").replace(EXAMPLE_URL, example_url), encoding="utf-8")

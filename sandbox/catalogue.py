"""The products on the storefront's shelves when nobody names others."""

import tomllib
from pathlib import Path

from app.config.products import Product

PRODUCTS_FILE = Path(__file__).with_name("products.toml")
# Where that file says that the example product is.
EXAMPLE_URL = "http://127.0.0.1:8003"


def load_products(path: Path = PRODUCTS_FILE) -> list[Product]:
    """Return the products in a products.toml, in the file's order."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))["products"]
    return [Product.model_validate({**fields, "code": code}) for code, fields in tables.items()]


def write_products_file(path: Path, example_url: str) -> None:
    """Write a products.toml like ours, whose products are where the example product answers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PRODUCTS_FILE.read_text(encoding="utf-8").replace(EXAMPLE_URL, example_url), encoding="utf-8")

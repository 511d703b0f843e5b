"""The seller's products.toml, and the pictures that its brands name, as they go into an image."""

import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from deploy.errors import DeployError

NAME = "products.toml"
# As app/config/brand.py has them, which this tool does not import.
PICTURE_FIELDS = ("logo", "logo_dark", "logo_mail", "icon")


def read(path: Path) -> dict[str, bytes]:
    """Return the content of the file and of its pictures, by their paths in the image's folder.

    Raises:
        DeployError: one cannot be read, or the file is not TOML.
    """
    content = _read(path, f"PRODUCTS_FILE={path}")
    try:
        products = tomllib.loads(content.decode()).get("products")
    except ValueError as error:
        raise DeployError(f"PRODUCTS_FILE={path} is not TOML: {error}.") from None
    names = _picture_names(products)
    return {
        NAME: content,
        **{name: _read(path.parent / name, f"{path} names the picture {name}, which") for name in names},
    }


def digest(files: Mapping[str, bytes]) -> str:
    """Return what tells these files from others."""
    digests = sorted((name, hashlib.sha256(content).hexdigest()) for name, content in files.items())
    return hashlib.sha256(repr(digests).encode()).hexdigest()


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files into the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _picture_names(products: object) -> list[str]:
    """Return the pictures beside the file. What is no name of one is refused when Foyer is started with the file."""
    brands = [_table(product).get("brand") for product in _table(products).values()]
    names = {_table(brand).get(field) for brand in brands for field in PICTURE_FIELDS}
    return sorted(name for name in names if isinstance(name, str) and _is_beside(name))


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_beside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.name) and not path.is_absolute() and ".." not in path.parts


def _read(path: Path, named: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DeployError(f"{named} cannot be read: {error.strerror}.") from None

"""The settings that let everything run on this machine without an AWS account; what you set yourself stays."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from app.sandbox import catalogue
from app.settings import INSTANCE

PORTS = {"APP_PORT": "8000", "STOREFRONT_PORT": "8001", "AWS_PORT": "8002"}


def complete(chosen: Mapping[str, str], instance: Path = INSTANCE) -> dict[str, str]:
    """Return the chosen environment, with a value for every setting that the sandbox needs and that is not there.

    Raises:
        SystemExit: a port is not a number between 1 and 65535.
    """
    chosen = {name: value for name, value in chosen.items() if value}
    ports = {name: _port(name, chosen.get(name, port)) for name, port in PORTS.items()}
    ours = {
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "LOG_FORMAT": "console",
        "SESSION_COOKIE_SECURE": "false",
    }
    if "AWS_ENDPOINT_URL" not in chosen:
        ours["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{ports['AWS_PORT']}"
        # A profile from daily work would be asked for credentials that nothing here needs.
        chosen.pop("AWS_PROFILE", None)
    if "PRODUCT_CODE" not in chosen:
        ours["PRODUCTS_FILE"] = str(catalogue.PRODUCTS_FILE)
    if "SECRET_KEY" not in chosen:
        ours["SECRET_KEY"] = _secret_key(instance / "secret-key")
    return ours | chosen | ports


def _port(name: str, value: str) -> str:
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise SystemExit(f"{name}: {value} is not a port. Set it to a number between 1 and 65535.")
    return value


def _secret_key(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made for its owner alone from the first moment, not narrowed afterwards.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex())
    return path.read_text(encoding="utf-8").strip()

"""The settings that let everything run on this machine without an AWS account; what you set yourself stays."""

import base64
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from app.config.settings import INSTANCE
from sandbox import catalogue

ENDPOINT = "AWS_ENDPOINT_URL"
QUEUE = "EVENTS_QUEUE_URL"
# Not taken from queue.py: every process would wait for moto to be imported.
QUEUE_PATH = "/123456789012/foyer-events"
REGION = "us-east-1"
THIS_MACHINE = ("127.0.0.1", "localhost")
PORTS = {"APP_PORT": "8000", "STOREFRONT_PORT": "8001", "AWS_PORT": "8002", "EXAMPLE_PORT": "8003"}
MAIL_FROM = "Acme Marketplace <start@acme.example>"


def chosen(command: Mapping[str, str], file: Mapping[str, str | None]) -> dict[str, str]:
    """Return what the command's own environment sets, and what `.env` sets beside it.

    A `.env` may be production's: the database, the queue and the AWS that it names are not for trying things out. No
    more is the product that takes hand-offs, nor the server that sends mail, nor the address that both would name.
    """
    elsewhere = ("DATABASE_URL", ENDPOINT, QUEUE, "SITE_URL", "SMTP_URL")
    kept = {name: value for name, value in file.items() if value and not name.startswith(elsewhere)}
    # A products file may name secrets of its own, which are called ..._HANDOFF_SECRET.
    return {name: value for name, value in kept.items() if "HANDOFF" not in name} | dict(command)


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
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "LOG_FORMAT": "console",
        "SESSION_COOKIE_SECURE": "false",
        "SITE_URL": f"http://localhost:{ports['APP_PORT']}",
        "MAIL_FROM": MAIL_FROM,
        "HANDOFF_ALLOW_PRIVATE": "true",
    }
    if ENDPOINT not in chosen:
        chosen = _nothing_but(f"http://127.0.0.1:{ports['AWS_PORT']}", chosen)
    if "SECRET_KEY" not in chosen:
        ours["SECRET_KEY"] = _kept(instance / "secret-key", secrets.token_hex)
    if "HANDOFF_SECRET" not in chosen:
        ours["HANDOFF_SECRET"] = _kept(instance / "handoff-secret", _handoff_secret)
    ours |= _products(f"http://127.0.0.1:{ports['EXAMPLE_PORT']}", chosen, instance)
    # What `.env` sets has been chosen from already: flask is not to read it again.
    return ours | chosen | ports | _without_proxy(chosen) | {"FLASK_SKIP_DOTENV": "1"}


def _products(example_url: str, chosen: Mapping[str, str], instance: Path) -> dict[str, str]:
    """Return the settings that lead the buyers of what is sold here into the example product."""
    if "PRODUCT_CODE" in chosen:
        return {"PRODUCT_HANDOFF_URL": f"{example_url}/foyer"}
    if "PRODUCTS_FILE" not in chosen:
        catalogue.write(instance / "products.toml", example_url)
    return {"PRODUCTS_FILE": str(instance / "products.toml")}


def _nothing_but(endpoint: str, chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the chosen environment with this endpoint for every call to AWS, and no way past it."""
    # A profile from daily work would be asked for credentials that nothing here needs.
    others = {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}
    kept = {name: value for name, value in chosen.items() if name not in others and not name.startswith(ENDPOINT)}
    # The pretend queue is where AWS sends the real events: in us-east-1. Elsewhere SQS would not find it.
    here = {"AWS_REGION": REGION, ENDPOINT: endpoint, QUEUE: f"{endpoint}{QUEUE_PATH}"}
    return {**kept, **here, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}


def _without_proxy(chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the variables, in both spellings, that keep calls within this machine from a proxy."""
    listed = chosen.get("no_proxy") or chosen.get("NO_PROXY", "")
    hosts = [host.strip() for host in listed.split(",") if host.strip()]
    # A star stands for every host only while it stands alone.
    value = listed if hosts == ["*"] else ",".join(dict.fromkeys([*hosts, *THIS_MACHINE]))
    return {"no_proxy": value, "NO_PROXY": value}


def _port(name: str, value: str) -> str:
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise SystemExit(f"{name}: {value} is not a port. Set it to a number between 1 and 65535.")
    return value


def _kept(path: Path, make: Callable[[], str]) -> str:
    """Return the secret in a file, which is made at the first time."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made for its owner alone from the first moment, not narrowed afterwards.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(make())
    return path.read_text(encoding="utf-8").strip()


def _handoff_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"

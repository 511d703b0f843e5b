"""The settings that let everything run on this machine without an AWS account; what you set yourself stays."""

import base64
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from app.config.settings import INSTANCE_DIR
from sandbox import catalogue

ENDPOINT_SETTING = "AWS_ENDPOINT_URL"
QUEUE_SETTING = "EVENTS_QUEUE_URL"
# Not taken from queue.py: every process would wait for moto to be imported.
QUEUE_PATH = "/123456789012/foyer-events"
REGION = "us-east-1"
LOCAL_HOSTS = ("127.0.0.1", "localhost")
DEFAULT_PORTS = {"APP_PORT": "8000", "STOREFRONT_PORT": "8001", "AWS_PORT": "8002", "EXAMPLE_PORT": "8003"}
MAIL_FROM = "Acme Marketplace <start@acme.example>"


def user_settings(environ: Mapping[str, str], dotenv: Mapping[str, str | None]) -> dict[str, str]:
    """Return what the command's own environment sets, and what `.env` sets beside it.

    A `.env` may be production's: the database, the queue and the AWS that it names are not for trying things out. No
    more is the product that takes hand-offs, nor the server that sends mail, nor the address that both would name.
    """
    elsewhere = ("DATABASE_URL", ENDPOINT_SETTING, QUEUE_SETTING, "SITE_URL", "SMTP_URL")
    kept = {name: value for name, value in dotenv.items() if value and not name.startswith(elsewhere)}
    # A products file may name secrets of its own, which are called ..._HANDOFF_SECRET.
    return {name: value for name, value in kept.items() if "HANDOFF" not in name} | dict(environ)


def add_defaults(settings: Mapping[str, str], instance: Path = INSTANCE_DIR) -> dict[str, str]:
    """Return the chosen environment, with a value for every setting that the sandbox needs and that is not there.

    Raises:
        SystemExit: a port is not a number between 1 and 65535.
    """
    settings = {name: value for name, value in settings.items() if value}
    ports = {name: _check_port(name, settings.get(name, port)) for name, port in DEFAULT_PORTS.items()}
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
    if ENDPOINT_SETTING not in settings:
        settings = _restrict_to_endpoint(f"http://127.0.0.1:{ports['AWS_PORT']}", settings)
    if "SECRET_KEY" not in settings:
        ours["SECRET_KEY"] = _load_or_create_secret(instance / "secret-key", secrets.token_hex)
    if "HANDOFF_SECRET" not in settings:
        ours["HANDOFF_SECRET"] = _load_or_create_secret(instance / "handoff-secret", _new_handoff_secret)
    ours |= _product_settings(f"http://127.0.0.1:{ports['EXAMPLE_PORT']}", settings, instance)
    # What `.env` sets has been chosen from already: flask is not to read it again.
    return ours | settings | ports | _proxy_exclusions(settings) | {"FLASK_SKIP_DOTENV": "1"}


def _product_settings(example_url: str, settings: Mapping[str, str], instance: Path) -> dict[str, str]:
    """Return the settings that lead the buyers of what is sold here into the example product."""
    if "PRODUCT_CODE" in settings:
        return {"PRODUCT_HANDOFF_URL": f"{example_url}/foyer"}
    if "PRODUCTS_FILE" not in settings:
        catalogue.write_products_file(instance / "products.toml", example_url)
    return {"PRODUCTS_FILE": str(instance / "products.toml")}


def _restrict_to_endpoint(endpoint: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the chosen environment with this endpoint for every call to AWS, and no way past it."""
    # A profile from daily work would be asked for credentials that nothing here needs.
    others = {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}
    kept = {
        name: value for name, value in settings.items() if name not in others and not name.startswith(ENDPOINT_SETTING)
    }
    # The pretend queue is where AWS sends the real events: in us-east-1. Elsewhere SQS would not find it.
    here = {"AWS_REGION": REGION, ENDPOINT_SETTING: endpoint, QUEUE_SETTING: f"{endpoint}{QUEUE_PATH}"}
    return {**kept, **here, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}


def _proxy_exclusions(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the variables, in both spellings, that keep calls within this machine from a proxy."""
    listed = settings.get("no_proxy") or settings.get("NO_PROXY", "")
    hosts = [host.strip() for host in listed.split(",") if host.strip()]
    # A star stands for every host only while it stands alone.
    value = listed if hosts == ["*"] else ",".join(dict.fromkeys([*hosts, *LOCAL_HOSTS]))
    return {"no_proxy": value, "NO_PROXY": value}


def _check_port(name: str, value: str) -> str:
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise SystemExit(f"{name}: {value} is not a port. Set it to a number between 1 and 65535.")
    return value


def _load_or_create_secret(path: Path, make: Callable[[], str]) -> str:
    """Return the secret in a file, which is made at the first time."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made for its owner alone from the first moment, not narrowed afterwards.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(make())
    return path.read_text(encoding="utf-8").strip()


def _new_handoff_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"

"""The settings of `make run`: everything runs on this machine, without an AWS account. Chosen settings are kept."""

import base64
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dotenv import dotenv_values

from app.config.settings import INSTANCE_DIR
from sandbox import catalogue
from sandbox.seller_account import QUEUE_PATH, REGION

ENDPOINT_SETTING = "AWS_ENDPOINT_URL"
QUEUE_SETTING = "EVENTS_QUEUE_URL"
LOCAL_HOSTS = ("127.0.0.1", "localhost")
DEFAULT_PORTS = {"APP_PORT": "8000", "STOREFRONT_PORT": "8001", "AWS_PORT": "8002", "EXAMPLE_PORT": "8003"}
MAX_PORT = 65535
# The ports of the `make run` that runs, in instance/.
RUNNING_PORTS = "running-ports.env"
MAIL_FROM = "Acme Marketplace <start@acme.example>"


def user_settings(environ: Mapping[str, str], dotenv: Mapping[str, str | None]) -> dict[str, str]:
    """Return the command's environment, completed from `.env`.

    A `.env` may be production's, so its database, queue, AWS endpoint, mail server, site URL and hand-off settings
    are ignored: a trial run must not reach them.
    """
    ignored = ("DATABASE_", ENDPOINT_SETTING, QUEUE_SETTING, "SITE_URL", "SMTP_URL")
    kept = {name: value for name, value in dotenv.items() if value and not name.startswith(ignored)}
    # A products file may name its own secrets, which are called ..._HANDOFF_SECRET.
    return {name: value for name, value in kept.items() if "HANDOFF" not in name} | dict(environ)


def choose_ports(settings: Mapping[str, str | None]) -> dict[str, str]:
    """Return the four ports by the names of their settings: as chosen, valid or not, or the defaults."""
    return {name: (settings.get(name) or "").strip() or port for name, port in DEFAULT_PORTS.items()}


@contextmanager
def publish_ports(settings: Mapping[str, str], instance: Path = INSTANCE_DIR) -> Iterator[None]:
    """Inside the block, `make run` runs: other commands find its ports without being told."""
    path = instance / RUNNING_PORTS
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}={settings[name]}\n" for name in DEFAULT_PORTS), encoding="utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def add_defaults(settings: Mapping[str, str], instance: Path = INSTANCE_DIR) -> dict[str, str]:
    """Return the settings, with a default for each one that the sandbox needs and that is unset or empty.

    While `make run` runs, its ports are the defaults.

    Raises:
        SystemExit: a port is not a number between 1 and 65535.
    """
    settings = {name: value for name, value in settings.items() if value}
    chosen = choose_ports({**dotenv_values(instance / RUNNING_PORTS), **settings})
    ports = {name: _check_port(name, port) for name, port in chosen.items()}
    defaults = {
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox-secret",  # the doctor masks it: it must be no word of its advice
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "LOG_FORMAT": "console",
        # Otherwise each request of the first buyer moves the addresses further off the screen.
        "LOG_LEVEL": "WARNING",
        "SESSION_COOKIE_SECURE": "false",
        "SITE_URL": f"http://localhost:{ports['APP_PORT']}",
        "MAIL_FROM": MAIL_FROM,
        "HANDOFF_ALLOW_PRIVATE": "true",
    }
    if ENDPOINT_SETTING not in settings:
        settings = _restrict_to_endpoint(f"http://127.0.0.1:{ports['AWS_PORT']}", settings)
    if settings.keys().isdisjoint({"SECRET_KEY", "SECRET_KEY_FILE"}):
        defaults["SECRET_KEY"] = _load_or_create_secret(instance / "secret-key", secrets.token_hex)
    if settings.keys().isdisjoint({"HANDOFF_SECRET", "HANDOFF_SECRET_FILE"}):
        defaults["HANDOFF_SECRET"] = _load_or_create_secret(instance / "handoff-secret", _new_handoff_secret)
    defaults |= _product_settings(f"http://127.0.0.1:{ports['EXAMPLE_PORT']}", settings, instance)
    # `.env` has been filtered already: reading it again would bring production's settings back.
    return defaults | settings | ports | _proxy_exclusions(settings) | {"FLASK_SKIP_DOTENV": "1"}


def _product_settings(example_url: str, settings: Mapping[str, str], instance: Path) -> dict[str, str]:
    """Return the settings that make the example product the target of hand-offs."""
    if "PRODUCT_CODE" in settings:
        return {"PRODUCT_HANDOFF_URL": f"{example_url}/foyer"}
    if "PRODUCTS_FILE" not in settings:
        catalogue.write_products_file(instance / "products.toml", example_url)
    return {"PRODUCTS_FILE": str(instance / "products.toml")}


def _restrict_to_endpoint(endpoint: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings with this endpoint for every call to AWS, and without settings that bypass it."""
    # A profile from daily work would ask for credentials that the sandbox does not need.
    profiles = {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}
    kept = {
        name: value
        for name, value in settings.items()
        if name not in profiles and not name.startswith(ENDPOINT_SETTING)
    }
    # The pretend queue is in us-east-1, as AWS sends its events there. In another Region SQS would not find it.
    endpoint_settings = {"AWS_REGION": REGION, ENDPOINT_SETTING: endpoint, QUEUE_SETTING: f"{endpoint}{QUEUE_PATH}"}
    return {**kept, **endpoint_settings, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}


def _proxy_exclusions(settings: Mapping[str, str]) -> dict[str, str]:
    """Return no_proxy and NO_PROXY, extended so that calls to this machine bypass a proxy."""
    listed = settings.get("no_proxy") or settings.get("NO_PROXY", "")
    hosts = [host.strip() for host in listed.split(",") if host.strip()]
    # A star means every host only if it is the whole value.
    value = listed if hosts == ["*"] else ",".join(dict.fromkeys([*hosts, *LOCAL_HOSTS]))
    return {"no_proxy": value, "NO_PROXY": value}


def is_port(value: str) -> bool:
    """Return whether the setting is a TCP port."""
    # Other scripts have digits too, and a number of thousands of digits is an error of `int`.
    return value.isascii() and value.isdecimal() and len(value) < 10 and 0 < int(value) <= MAX_PORT


def describe_invalid_port(name: str, value: str) -> str:
    """Return what is wrong with a setting that is no port."""
    return f"{name}: {value} is not a port. Set it to a number between 1 and {MAX_PORT}."


def _check_port(name: str, value: str) -> str:
    if not is_port(value):
        raise SystemExit(describe_invalid_port(name, value))
    return str(int(value))


def _load_or_create_secret(path: Path, create: Callable[[], str]) -> str:
    """Return the secret in a file, which is created on first use."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Created with mode 0600: narrowing it afterwards would leave the secret readable for a moment.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(create())
    return path.read_text(encoding="utf-8").strip()


def _new_handoff_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"

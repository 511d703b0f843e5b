"""Hand-off endpoints: each product's URL for hand-offs and the secrets that sign them, read once at the start."""

from base64 import b64decode
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask

from app.config import environment
from app.config.products import HandoffEndpoint, Product, Products
from app.config.setting_checks import split_commas
from app.config.settings import Settings, SettingsError, missing_setting

# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
PREFIX = "whsec_"
FORMAT = "whsec_ and 24 to 64 bytes in base64; whsec_ can be left out. Make one with: python -c "
GENERATE_COMMAND = "\"import base64, secrets; print('whsec_' + base64.b64encode(secrets.token_bytes(32)).decode())\""


def init_app(app: Flask, settings: Settings) -> None:
    """Read the endpoints of all products once, when the application is created.

    Raises:
        SettingsError: a secret is missing or invalid, a URL is not HTTPS, or SITE_URL is not set.
    """
    products: Products = app.extensions["products"]
    endpoints = {code: _build_endpoint(product, settings) for code, product in products.items() if product.handoff_url}
    if endpoints and settings.site_url is None:
        raise missing_setting("site_url")
    products.handoff_endpoints.update(endpoints)


def is_private_url(url: str) -> bool:
    """Return whether the URL names a private IP address or localhost; other host names are not resolved."""
    host = urlsplit(url).hostname or ""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost"


def _build_endpoint(product: Product, settings: Settings) -> HandoffEndpoint:
    url = str(product.handoff_url)
    if not url.startswith("https://") and not settings.handoff_allow_private:
        rule = "it must start with https:// unless HANDOFF_ALLOW_PRIVATE is true"
        raise SettingsError(f"handoff_url of {product.code}: {rule}.")
    setting = product.handoff_secret_setting
    if setting == "HANDOFF_SECRET":
        return HandoffEndpoint(url, _parse_secrets(setting, settings.handoff_secret or ""))
    found = environment.find_secret(setting)
    if found.problem:
        raise SettingsError(f"{found.variable}: {found.problem}.")
    return HandoffEndpoint(url, _parse_secrets(found.variable, found.value or ""))


def _parse_secrets(variable: str, value: str) -> tuple[str, ...]:
    secrets = split_commas(value)
    if not secrets:
        raise SettingsError(f"{variable}: it is not set. It signs hand-offs: {FORMAT}{GENERATE_COMMAND}")
    if not all(map(_is_valid_secret, secrets)):
        raise SettingsError(f"{variable}: it must be {FORMAT}{GENERATE_COMMAND}")
    return secrets


def _is_valid_secret(secret: str) -> bool:
    try:
        return 24 <= len(b64decode(secret.removeprefix(PREFIX), validate=True)) <= 64
    except ValueError:  # not base64, or not even ASCII
        return False

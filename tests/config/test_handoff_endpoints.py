"""Hand-off endpoints: URLs and secrets of the products; a missing or invalid one stops the start."""

import base64
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from app.config import handoff_endpoints, products
from app.config.settings import SettingsError
from tests.support import factories, outbox_messages
from tests.support.databases import on_sqlite
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE
from tests.support.handoff_receiver import SECRET

pytestmark = on_sqlite
OTHER = f"whsec_{base64.b64encode(bytes(range(64))).decode()}"
SHORTEST = f"whsec_{base64.b64encode(bytes(range(24))).decode()}"
PRODUCTS = f"""
[products.{PRODUCT_CODE}]
name = "Acme Insights"
pricing = "subscription"
sign_in_url = "https://app.acme.example/login"
support_email = "help@acme.example"
handoff_url = "https://app.acme.example/foyer"

[products.{OTHER_PRODUCT_CODE}]
name = "Acme Other"
pricing = "subscription"
sign_in_url = "https://other.acme.example/login"
support_email = "help@acme.example"
handoff_url = "https://other.acme.example/foyer"
handoff_secret_setting = "OTHER_SECRET"
"""


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    factories.enable_handoffs(environment, "https://app.acme.example/foyer")
    environment.delenv("HANDOFF_ALLOW_PRIVATE")
    return environment


def start_error() -> str:
    with pytest.raises(SettingsError) as raised:
        create_app()
    return str(raised.value)


def secrets_of(app: Flask, product_code: str = PRODUCT_CODE) -> tuple[str, ...]:
    with app.app_context():
        return products.current().handoff_endpoints[product_code].secrets


@pytest.mark.parametrize(
    ("value", "secrets"),
    [
        (SECRET, (SECRET,)),
        (SHORTEST, (SHORTEST,)),
        (f"{OTHER},{SECRET}", (OTHER, SECRET)),
        (f" {OTHER} ,, {SECRET} ", (OTHER, SECRET)),
        (SECRET.removeprefix("whsec_"), (SECRET.removeprefix("whsec_"),)),
        (f"{OTHER.removeprefix('whsec_')},{SECRET}", (OTHER.removeprefix("whsec_"), SECRET)),
        ("a" * 44, ("a" * 44,)),
    ],
)
def test_secrets_keep_their_order(environment: pytest.MonkeyPatch, value: str, secrets: tuple[str, ...]) -> None:
    environment.setenv("HANDOFF_SECRET", value)

    with factories.open_app(create_app()) as app:
        assert secrets_of(app) == secrets


@pytest.mark.parametrize("value", [None, "", " , "])
def test_missing_secret_is_reported_with_a_command_to_make_one(
    environment: pytest.MonkeyPatch, value: str | None
) -> None:
    environment.delenv("HANDOFF_SECRET")
    if value is not None:
        environment.setenv("HANDOFF_SECRET", value)

    error = start_error()

    assert "HANDOFF_SECRET: it is not set." in error
    assert "python -c " in error


@pytest.mark.parametrize(
    "value",
    [
        "not-a-secret-at-all",
        SECRET.rstrip("="),
        f"whsec_{SECRET}",
        f"WHSEC_{SECRET.removeprefix('whsec_')}",
        base64.b64encode(bytes(23)).decode(),
        base64.b64encode(bytes(65)).decode(),
        "hunter2 is no base64, but has 44 characters!",
        f"whsec_{base64.b64encode(b'short').decode()}",
        f"whsec_{base64.b64encode(bytes(65)).decode()}",
        SECRET.replace("Z", "€"),
        SECRET.replace("Z", "-"),
        f"{OTHER},{SECRET[:-3]}",
    ],
)
def test_invalid_secret_is_refused_without_repeating_it(environment: pytest.MonkeyPatch, value: str) -> None:
    environment.setenv("HANDOFF_SECRET", value)

    error = start_error()

    assert "HANDOFF_SECRET: it must be whsec_ and 24 to 64 bytes in base64" in error
    assert not [part for part in value.split(",") if part in error]


def test_suggested_command_makes_a_valid_secret(environment: pytest.MonkeyPatch) -> None:
    code = handoff_endpoints.GENERATE_COMMAND.strip('"').replace("print(", "printed.append(")
    printed: list[str] = []
    exec(code, {"printed": printed})  # noqa: S102  # what the seller is told to run
    environment.setenv("HANDOFF_SECRET", printed[0])

    with factories.open_app(create_app()) as app:
        assert secrets_of(app) == tuple(printed)


@pytest.mark.parametrize(
    ("url", "allowed", "starts"),
    [
        ("http://app.acme.example/foyer", False, False),
        ("http://app.acme.example/foyer", True, True),
        ("https://app.acme.example/foyer", False, True),
    ],
)
def test_plain_http_is_refused_unless_a_setting_allows_it(
    environment: pytest.MonkeyPatch, url: str, allowed: bool, starts: bool
) -> None:
    environment.setenv("PRODUCT_HANDOFF_URL", url)
    environment.setenv("HANDOFF_ALLOW_PRIVATE", str(allowed))

    if starts:
        with factories.open_app(create_app()) as app, app.app_context():
            assert products.current().handoff_endpoints[PRODUCT_CODE].url == url
    else:
        assert (
            f"handoff_url of {PRODUCT_CODE}: it must start with https:// unless HANDOFF_ALLOW_PRIVATE is true."
            in start_error()
        )


def test_handoffs_require_site_url(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("SITE_URL")

    assert "SITE_URL: it is not set. Where buyers find this service" in start_error()


def test_mails_require_site_url(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("SITE_URL")
    environment.delenv("PRODUCT_HANDOFF_URL")
    environment.setenv("MAIL_FROM", "start@acme.example")

    assert "SITE_URL: it is not set. Where buyers find this service" in start_error()


def test_secret_and_site_url_are_optional_without_handoffs_and_mails(environment: pytest.MonkeyPatch) -> None:
    for name in ("SITE_URL", "PRODUCT_HANDOFF_URL", "HANDOFF_SECRET"):
        environment.delenv(name)

    with factories.open_app(create_app()) as app, app.app_context():
        assert products.current().handoff_endpoints == {}


@pytest.fixture
def two_products(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two products, the second with its own secret."""
    for name in ("CODE", "NAME", "SIGN_IN_URL", "HANDOFF_URL"):
        environment.delenv(f"PRODUCT_{name}")
    environment.delenv("SUPPORT_EMAIL")
    (tmp_path / "products.toml").write_text(PRODUCTS)
    environment.setenv("PRODUCTS_FILE", str(tmp_path / "products.toml"))


def test_product_can_have_its_own_secret(environment: pytest.MonkeyPatch, two_products: None) -> None:
    environment.setenv("OTHER_SECRET", OTHER)

    with factories.open_app(create_app()) as app:
        assert (secrets_of(app), secrets_of(app, OTHER_PRODUCT_CODE)) == ((SECRET,), (OTHER,))


def test_missing_secret_of_one_product_is_named(environment: pytest.MonkeyPatch, two_products: None) -> None:
    environment.delenv("OTHER_SECRET", raising=False)

    assert "OTHER_SECRET: it is not set." in start_error()


def test_secrets_are_in_no_repr_and_no_log(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    environment.setenv("HANDOFF_SECRET", f"{OTHER},{SECRET}")
    environment.setenv("PRODUCT_HANDOFF_URL", "https://127.0.0.1:1/foyer")

    with factories.open_app(create_app()) as app:
        outbox_messages.register_customer(app)
        outbox_messages.send_due_handoffs(app)
        with app.app_context():
            endpoints = products.current().handoff_endpoints
            representations = f"{endpoints!r} {endpoints[PRODUCT_CODE]}"
    written = capsys.readouterr()

    assert "handoff.rescheduled" in written.err
    assert not [part for part in (OTHER, SECRET) if part in representations + written.err + written.out]

"""Products: read from a TOML file or from the environment, with clear errors where either is invalid."""

from pathlib import Path

import pytest

from app.config import products
from app.config.products import Product
from app.config.settings import SettingsError
from app.errors import UnknownProduct
from tests.support import factories
from tests.support.factories import PRODUCT_CODE, PRODUCT_FIELDS

TOML = """
[products.first]
name = "Acme Insights"
pricing = "contract"
sign_in_url = "https://app.acme.example/login"
support_email = "help@acme.example"

[products.second]
name = "Acme Relay"
sign_in_url = "http://localhost:3000"
support_email = "relay@acme.example"
"""


def load(file: Path, text: str) -> products.Products:
    file.write_text(text, encoding="utf-8")
    return products.load(factories.settings(products_file=file, product_code=None))


def test_one_product_is_read_from_the_environment() -> None:
    loaded = products.load(factories.settings())

    assert loaded == {PRODUCT_CODE: Product(code=PRODUCT_CODE, **PRODUCT_FIELDS)}


def test_several_products_are_read_from_a_file(tmp_path: Path) -> None:
    loaded = load(tmp_path / "products.toml", TOML)

    assert list(loaded) == ["first", "second"]
    assert loaded["first"].pricing == "contract"
    assert loaded["second"].pricing == "subscription"


def test_unknown_code_raises_unknown_product() -> None:
    loaded = products.load(factories.settings())

    with pytest.raises(UnknownProduct):
        loaded["another-sellers"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "names no product"),
        ("products = 3", "names no product"),
        ("[products", "is not TOML"),
        (f"a = {'9' * 5000}", "is not TOML"),
        (f"a = {'[' * 5000}", "is not TOML"),
        (
            "[products.a]\nname = 'A'",
            "[products.a] sign_in_url: it is not set. Where buyers who already have an account sign in.",
        ),
        (
            TOML.replace('"contract"', '"rental"'),
            "[products.first] pricing: it must be subscription, contract or contract-with-consumption.",
        ),
        (
            TOML.replace("https://app", "javascript:app"),
            "[products.first] sign_in_url: it must be an address such as https://app.acme.example/login.",
        ),
        (
            TOML.replace('"help@', '"'),
            "[products.first] support_email: it must be an e-mail address such as help@acme.example.",
        ),
        (TOML.replace('"Acme Relay"', "7"), "[products.second] name: it must be text of 1 to 200 characters."),
        (
            TOML + "colour = 'red'",
            "[products.second] colour: there is no such field. The fields are name, pricing,",
        ),
        ("[products]\na = 1", "[products.a]: it must be a table."),
    ],
)
def test_invalid_file_is_reported_with_path_and_field(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(tmp_path / "products.toml", text)

    assert fault in str(raised.value)
    assert f"{tmp_path / 'products.toml'}" in str(raised.value)


def test_missing_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        products.load(factories.settings(products_file=tmp_path / "none.toml", product_code=None))


@pytest.mark.parametrize("name", ["product_sign_in_url", "product_handoff_url"])
@pytest.mark.parametrize("port", ["99999", "0", "x"])
def test_url_with_an_impossible_port_is_refused(name: str, port: str) -> None:
    with pytest.raises(SettingsError, match=f"{name.upper()}: it must be an address such as https://app.acme.example/"):
        products.load(factories.settings(**{name: f"https://app.acme.example:{port}/foyer"}))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"product_code": None}, "PRODUCT_CODE: it is not set. Set it to the product code of your listing"),
        ({"product_code": "x" * 256}, "PRODUCT_CODE: it must be a product code of 1 to 255 characters."),
        ({"product_name": None}, "PRODUCT_NAME: it is not set. The product's name on pages and in mails."),
        ({"product_name": "x" * 201}, "PRODUCT_NAME: it must be text of 1 to 200 characters."),
        ({"product_name": " \u3000"}, "PRODUCT_NAME: it must be text of 1 to 200 characters."),
        ({"product_name": "Acme\x1b[2J"}, "PRODUCT_NAME: it must be text of 1 to 200 characters."),
        (
            {"product_sign_in_url": "https://app.acme.example/\x7f"},
            "PRODUCT_SIGN_IN_URL: it must be an address such as https://app.acme.example/login.",
        ),
        (
            {"support_email": "help\x00@acme.example"},
            "SUPPORT_EMAIL: it must be an e-mail address such as help@acme.example.",
        ),
        (
            {"product_pricing": "rental"},
            "PRODUCT_PRICING: it must be subscription, contract or contract-with-consumption.",
        ),
        (
            {"product_sign_in_url": "app.acme.example"},
            "PRODUCT_SIGN_IN_URL: it must be an address such as https://app.acme.example/login.",
        ),
        ({"support_email": None}, "SUPPORT_EMAIL: it is not set. Where buyers ask for help. Every page shows it."),
        ({"support_email": "help"}, "SUPPORT_EMAIL: it must be an e-mail address such as help@acme.example."),
        ({"products_file": "also.toml"}, "PRODUCT_CODE: unset it, or unset PRODUCTS_FILE."),
    ],
)
def test_invalid_setting_is_reported_with_a_valid_format(values: dict[str, object], fault: str) -> None:
    with pytest.raises(SettingsError) as raised:
        products.load(factories.settings(**values))

    assert f"\n  {fault}" in str(raised.value)


@pytest.mark.parametrize(
    "address", ["Help<help@acme.example>", "mailto:help@acme.example", "help@acme.example,", '"help"@acme.example']
)
def test_undeliverable_email_address_is_refused(address: str) -> None:
    for name in ("support_email", "product_notify_email"):
        with pytest.raises(SettingsError, match=f"{name.upper()}: it must be an e-mail address such as"):
            products.load(factories.settings(**{name: address}))


def test_all_problems_are_reported_at_once_without_patterns() -> None:
    with pytest.raises(SettingsError) as raised:
        products.load(factories.settings(product_name=None, product_sign_in_url="app", support_email="help"))

    problems = str(raised.value)
    assert [line.split(":")[0].strip() for line in problems.splitlines()[1:]] == [
        "PRODUCT_NAME",
        "PRODUCT_SIGN_IN_URL",
        "SUPPORT_EMAIL",
    ]
    assert not set("^$[]\\") & set(problems)

"""Products: from a TOML file or from the environment, and clear words where either is odd."""

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


def test_one_product_comes_from_the_environment() -> None:
    found = products.load(factories.settings())

    assert found == {PRODUCT_CODE: Product(code=PRODUCT_CODE, **PRODUCT_FIELDS)}


def test_several_products_come_from_a_file(tmp_path: Path) -> None:
    found = load(tmp_path / "products.toml", TOML)

    assert list(found) == ["first", "second"]
    assert found["first"].pricing == "contract"
    assert found["second"].pricing == "subscription"


def test_a_code_that_is_not_ours_is_an_unknown_product() -> None:
    found = products.load(factories.settings())

    with pytest.raises(UnknownProduct):
        found["somebody-elses"]


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
            "[products.a] sign_in_url: it is not set. Where those who already have an account sign in.",
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
            "[products.second] colour: no such field. There are name, pricing,",
        ),
        ("[products]\na = 1", "[products.a]: it must be a table."),
    ],
)
def test_an_odd_file_stops_the_start_and_says_where(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(SettingsError) as stopped:
        load(tmp_path / "products.toml", text)

    assert fault in str(stopped.value)
    assert f"{tmp_path / 'products.toml'}" in str(stopped.value)


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        products.load(factories.settings(products_file=tmp_path / "none.toml", product_code=None))


@pytest.mark.parametrize("name", ["product_sign_in_url", "product_handoff_url"])
@pytest.mark.parametrize("port", ["99999", "0", "x"])
def test_an_address_with_a_port_that_there_is_not_stops_the_start(name: str, port: str) -> None:
    with pytest.raises(SettingsError, match=f"{name.upper()}: it must be an address such as https://app.acme.example/"):
        products.load(factories.settings(**{name: f"https://app.acme.example:{port}/foyer"}))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"product_code": None}, "PRODUCT_CODE: it is not set. Set it to the product code of your listing"),
        ({"product_code": "x" * 256}, "PRODUCT_CODE: it must be a product code of 1 to 255 characters."),
        ({"product_name": None}, "PRODUCT_NAME: it is not set. What buyers call the product."),
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
        ({"support_email": None}, "SUPPORT_EMAIL: it is not set. Whom a buyer asks for help; every page shows it."),
        ({"support_email": "help"}, "SUPPORT_EMAIL: it must be an e-mail address such as help@acme.example."),
        ({"products_file": "also.toml"}, "PRODUCT_CODE: unset it, or unset PRODUCTS_FILE."),
    ],
)
def test_an_odd_setting_stops_the_start_and_says_what_it_should_be(values: dict[str, object], fault: str) -> None:
    with pytest.raises(SettingsError) as stopped:
        products.load(factories.settings(**values))

    assert f"\n  {fault}" in str(stopped.value)


@pytest.mark.parametrize(
    "address", ["Help<help@acme.example>", "mailto:help@acme.example", "help@acme.example,", '"help"@acme.example']
)
def test_an_address_to_which_no_mail_would_go_stops_the_start(address: str) -> None:
    for name in ("support_email", "product_notify_email"):
        with pytest.raises(SettingsError, match=f"{name.upper()}: it must be an e-mail address such as"):
            products.load(factories.settings(**{name: address}))


def test_every_fault_of_a_product_is_named_at_once_and_no_regular_expression_is_shown() -> None:
    with pytest.raises(SettingsError) as stopped:
        products.load(factories.settings(product_name=None, product_sign_in_url="app", support_email="help"))

    faults = str(stopped.value)
    assert [line.split(":")[0].strip() for line in faults.splitlines()[1:]] == [
        "PRODUCT_NAME",
        "PRODUCT_SIGN_IN_URL",
        "SUPPORT_EMAIL",
    ]
    assert not set("^$[]\\") & set(faults)

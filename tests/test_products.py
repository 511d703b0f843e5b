"""Products: from a TOML file or from the environment, and clear words where either is odd."""

from pathlib import Path

import pytest

from app import products
from app.errors import UnknownProduct
from app.products import Product
from app.settings import SettingsError
from tests import factories
from tests.factories import CODE, PRODUCT

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

    assert found == {CODE: Product(code=CODE, **PRODUCT)}


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
        ("[products.a]\nname = 'A'", "[products.a] sign_in_url: Field required"),
        (TOML.replace("contract", "rental"), "[products.first] pricing: "),
        (TOML.replace("https://app", "javascript:app"), "[products.first] sign_in_url: "),
        (TOML.replace("help@", ""), "[products.first] support_email: "),
        (TOML + "colour = 'red'", "[products.second] colour: "),
        ("[products]\na = 1", "[products.a]: "),
    ],
)
def test_an_odd_file_stops_the_start_and_says_where(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(SettingsError) as stopped:
        load(tmp_path / "products.toml", text)

    assert fault in str(stopped.value)
    assert "products.toml" in str(stopped.value)


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        products.load(factories.settings(products_file=tmp_path / "none.toml", product_code=None))


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"product_code": None}, "PRODUCT_CODE"),
        ({"product_name": None}, "PRODUCT_NAME"),
        ({"product_pricing": "rental"}, "PRODUCT_PRICING"),
        ({"product_sign_in_url": "app.acme.example"}, "PRODUCT_SIGN_IN_URL"),
        ({"support_email": "help"}, "SUPPORT_EMAIL"),
        ({"products_file": "also.toml"}, "PRODUCT_CODE"),
    ],
)
def test_an_odd_setting_stops_the_start_with_its_name(values: dict[str, object], name: str) -> None:
    with pytest.raises(SettingsError, match=f"  {name}: "):
        products.load(factories.settings(**values))

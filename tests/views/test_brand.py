"""The pages of a product with a brand: its logo, colours and links, and none of Foyer's own mark."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from sandbox.server import Sandbox
from tests.support import factories, pictures
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE, TOKEN_FIELD
from tests.support.page_checks import CheckedClient

PRODUCTS = """
[products.{code}]
name = "Acme Insights"
sign_in_url = "https://app.acme.example/login"
support_email = "help@acme.example"

[products.{code}.brand]
logo = "logo.svg"
logo_dark = "dark.png"
accent = "#7a1fa2"
corners = "square"
privacy_url = "https://acme.example/privacy"
terms_url = "https://acme.example/terms"
"""
OTHER_PRODUCT = """
[products.{code}]
name = "Acme Reports"
sign_in_url = "https://app.acme.example/login"
support_email = "help@acme.example"
"""


@pytest.fixture
def products_file(tmp_path: Path, environment: pytest.MonkeyPatch) -> Path:
    """A products file whose first product has a brand."""
    (tmp_path / "logo.svg").write_bytes(pictures.LOGO_SVG)
    (tmp_path / "dark.png").write_bytes(pictures.png(120, 40))
    file = tmp_path / "products.toml"
    file.write_text(PRODUCTS.format(code=PRODUCT_CODE), encoding="utf-8")
    factories.use_products_file(environment, file)
    return file


@pytest.fixture
def branded_client(products_file: Path) -> Iterator[FlaskClient]:
    """A browser at an application with that file."""
    with factories.open_app(create_app()) as app:
        app.test_client_class = CheckedClient
        yield app.test_client()


@pytest.fixture
def client_of_several(products_file: Path) -> Iterator[FlaskClient]:
    """A browser at an application that sells another product without a brand as well."""
    other = OTHER_PRODUCT.format(code=OTHER_PRODUCT_CODE)
    products_file.write_text(products_file.read_text(encoding="utf-8") + other, encoding="utf-8")
    with factories.open_app(create_app()) as app:
        app.test_client_class = CheckedClient
        yield app.test_client()


def test_form_wears_the_brand(branded_client: FlaskClient, sandbox: Sandbox) -> None:
    branded_client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})

    page = branded_client.get("/signup").text

    assert re.search(r'<img\s+class="logo"\s+src="/brand/\w+\.svg"\s+alt="Acme Insights"', page)
    assert re.search(r'<source\s+media="screen and \(prefers-color-scheme: dark\)"\s+srcset="/brand/\w+\.png"', page)
    assert page.count('href="https://acme.example/privacy"') == 2
    assert page.count('href="https://acme.example/terms"') == 2
    assert "mark.svg" not in page
    assert "Powered by" not in page


@pytest.mark.parametrize("path", ["/", "/signup", "/no-such-page"])
def test_page_without_a_purchase_wears_the_brand_of_the_only_product(branded_client: FlaskClient, path: str) -> None:
    page = branded_client.get(path).text

    assert 'class="logo"' in page
    assert "mark.svg" not in page


def test_pages_before_the_product_is_known_show_no_mark_of_ours(client_of_several: FlaskClient) -> None:
    page = client_of_several.get("/").text

    assert "mark.svg" not in page
    assert "/brand/" not in page


def test_pictures_and_colours_are_served_for_good(branded_client: FlaskClient) -> None:
    page = branded_client.get("/").text

    for name in set(re.findall(r'"(/brand/[^"]+)"', page)):
        response = branded_client.get(name)
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "public, immutable, max-age=31536000"
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert response.headers.getlist("Cross-Origin-Resource-Policy") == ["cross-origin"]
    [sheet] = re.findall(r'"(/brand/[^"]+\.css)"', page)
    css = branded_client.get(sheet).text
    assert "--accent:#7a1fa2" in css
    assert "--radius:0" in css
    assert "prefers-color-scheme:dark" in css


def test_unknown_file_of_a_brand_is_not_found(branded_client: FlaskClient) -> None:
    assert branded_client.get("/brand/products.toml").status_code == 404


def test_picture_that_changes_has_another_name(products_file: Path) -> None:
    with factories.open_app(create_app()) as app:
        before = set(app.extensions["brand_files"])
    (products_file.parent / "logo.svg").write_text(pictures.SVG.format("<path d='M0 0'/>"), encoding="utf-8")
    with factories.open_app(create_app()) as app:
        assert len(before - set(app.extensions["brand_files"])) == 1

"""The files that programs fetch by a well-known path."""

from datetime import UTC, datetime

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from app.config.products import Product, Products
from tests.support.databases import on_sqlite
from tests.support.factories import PRODUCT_FIELDS

pytestmark = on_sqlite

NO_INDEX = '<meta name="robots" content="noindex">'


def fields(text: str) -> list[tuple[str, ...]]:
    return [tuple(line.split(": ", 1)) for line in text.splitlines()]


def test_security_txt_names_contact_and_expiry(client: FlaskClient) -> None:
    with time_machine.travel(datetime(2026, 11, 23, 12, tzinfo=UTC), tick=False):
        response = client.get("/.well-known/security.txt")

    assert response.content_type == "text/plain; charset=utf-8"
    assert fields(response.text) == [
        ("Contact", "mailto:help@acme.example"),
        ("Expires", "2027-02-21T12:00:00Z"),
        ("Preferred-Languages", "en"),
    ]


def test_support_addresses_are_unique_and_encoded(app: Flask, client: FlaskClient) -> None:
    emails = ["help@acme.example", "first+%?last@acme.example", "help@acme.example"]
    configured = [Product(code=str(n), **{**PRODUCT_FIELDS, "support_email": email}) for n, email in enumerate(emails)]
    app.extensions["products"] = Products({product.code: product for product in configured})

    response = client.get("/.well-known/security.txt")

    contacts = [value for name, value in fields(response.text) if name == "Contact"]
    assert contacts == ["mailto:help@acme.example", "mailto:first+%25%3Flast@acme.example"]


def test_robots_txt_allows_everything(client: FlaskClient) -> None:
    response = client.get("/robots.txt")

    assert response.content_type == "text/plain; charset=utf-8"
    assert response.text == "User-agent: *\nAllow: /\n"


@pytest.mark.parametrize("link", ["/invitation/x", "/progress/x", "/resume/x"])
def test_search_engines_list_no_link_for_one_person(client: FlaskClient, link: str) -> None:
    assert NO_INDEX in client.get(link).text


def test_search_engines_may_list_the_start_page(client: FlaskClient) -> None:
    page = client.get("/").text

    assert NO_INDEX not in page
    assert '<meta name="description"' in page

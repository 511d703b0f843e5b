"""How many bytes a browser loads for a page: the page itself, and the style sheet, which is sent compressed."""

import gzip
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.config import products
from app.languages.table import BY_CODE
from sandbox.gallery.states import PAGE_STATES
from tests.support import asked_questions, factories, pictures
from tests.support.databases import on_sqlite
from tests.support.processes import ROOT

pytestmark = on_sqlite

MAX_BYTES = 25_000
STYLE_SHEET = ROOT / "app" / "static" / "style.css"
GZIP = {"Accept-Encoding": "br, gzip;q=0.8"}


def get_style(client: FlaskClient, **headers: str) -> TestResponse:
    return client.get("/static/style.css", headers=headers, buffered=True)


def style_bytes(client: FlaskClient) -> int:
    return int(get_style(client, **GZIP).headers["Content-Length"])


def page_bytes(app: Flask, language: str) -> dict[str, int]:
    with app.app_context():
        [product] = products.current().values()
    rendered = ((state, state.render(app, product, BY_CODE[language])) for state in PAGE_STATES)
    return {f"{state.group}: {state.name}": len(page.encode()) for state, page in rendered}


@pytest.mark.parametrize("language", ["en", "ar", "ja"])
def test_every_page_is_light(app: Flask, client: FlaskClient, language: str) -> None:
    style = style_bytes(client)

    too_heavy = {name: size for name, size in page_bytes(app, language).items() if size + style > MAX_BYTES}

    assert too_heavy == {}


def test_form_with_every_type_of_question_and_all_countries_is_light(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked_questions.configure(environment, tmp_path, asked_questions.QUESTIONS)
    with factories.open_app(create_app()) as app:
        assert page_bytes(app, "en")["Sign-up form: empty"] + style_bytes(app.test_client()) <= MAX_BYTES


def test_style_sheet_is_compressed_for_browsers_that_ask(client: FlaskClient) -> None:
    plain, compressed = get_style(client), get_style(client, **GZIP)

    assert plain.data == gzip.decompress(compressed.data) == STYLE_SHEET.read_bytes()
    assert [response.headers.get("Content-Encoding") for response in (plain, compressed)] == [None, "gzip"]
    assert [response.headers["Vary"] for response in (plain, compressed)] == ["Accept-Encoding"] * 2
    assert compressed.cache_control.max_age == plain.cache_control.max_age
    assert "Accept-Ranges" not in compressed.headers
    # A strong one would stand for the same bytes.
    assert compressed.headers["ETag"] == f"W/{plain.headers['ETag']}"


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "identity"])
def test_style_sheet_is_as_it_is_for_others(client: FlaskClient, accepted: str) -> None:
    response = get_style(client, **{"Accept-Encoding": accepted})

    assert response.data == STYLE_SHEET.read_bytes()


def test_compressed_style_sheet_that_is_cached_is_not_sent_again(client: FlaskClient) -> None:
    tag = get_style(client, **GZIP).headers["ETag"]

    again = get_style(client, **GZIP, **{"If-None-Match": tag})

    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)


def test_head_of_the_style_sheet_is_that_of_the_whole_answer(client: FlaskClient) -> None:
    whole = get_style(client, **GZIP)
    head = client.head("/static/style.css", headers=GZIP, buffered=True)

    assert head.data == b""
    for name in ("Content-Length", "Content-Encoding", "Content-Type", "ETag", "Vary", "Cache-Control"):
        assert head.headers[name] == whole.headers[name], name


def test_svg_logo_is_compressed_and_a_png_is_not(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_bytes(pictures.LOGO_SVG)
    (tmp_path / "icon.png").write_bytes(pictures.png(32, 32))
    asked_questions.configure(environment, tmp_path, [], brand={"logo": "logo.svg", "icon": "icon.png"})
    with factories.open_app(create_app()) as app:
        client, [product] = app.test_client(), app.extensions["products"].values()
        logo, icon = (
            client.get(f"/brand/{picture.file_name}", headers=GZIP)
            for picture in (product.brand.logo, product.brand.icon)
        )

    assert [response.headers.get("Content-Encoding") for response in (logo, icon)] == ["gzip", None]
    assert (gzip.decompress(logo.data), icon.data) == (pictures.LOGO_SVG, pictures.png(32, 32))


def test_pages_are_not_compressed(client: FlaskClient) -> None:
    assert client.get("/", headers=GZIP).content_encoding is None

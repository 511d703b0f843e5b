"""The gallery: every page and mail in every state, for the products file as it is now, and the file's faults."""

import re
from pathlib import Path

import pytest
import requests
from justhtml import JustHTML

from sandbox.gallery.mail_states import TO_SELLER
from sandbox.gallery.states import STATES
from sandbox.server import Sandbox
from tests.support import asked_questions, factories
from tests.support.asked_questions import QUESTIONS
from tests.support.factories import PRODUCT_CODE, UNREACHABLE_URL
from tests.support.pictures import LOGO_SVG

TEXTS = {"de": {"Register": "Los geht es"}}


@pytest.fixture
def products_file(cleared_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of a product with a brand, texts, and a question of each type."""
    for name, value in factories.environment("sqlite:///unused.db", "http://127.0.0.1:9").items():
        if not name.startswith(("PRODUCT_", "SUPPORT_")):
            monkeypatch.setenv(name, value)
    (tmp_path / "logo.svg").write_bytes(LOGO_SVG)
    brand = {"logo": "logo.svg", "accent": "#0b5fff"}
    path = asked_questions.write_file(tmp_path, QUESTIONS, brand=brand, texts=TEXTS)
    monkeypatch.setenv("PRODUCTS_FILE", str(path))
    return path


def get(sandbox: Sandbox, path: str, **choices: str) -> requests.Response:
    return requests.get(f"{sandbox.storefront_url}/gallery{path}", params=choices, timeout=60)


@pytest.mark.parametrize(("language", "direction"), [("ja", "ltr"), ("ar", "rtl")])
def test_every_state_is_shown(sandbox: Sandbox, products_file: Path, language: str, direction: str) -> None:
    address = f"{sandbox.storefront_url}/gallery/frame"
    with requests.Session() as browser:
        for name, state in STATES.items():
            response = browser.get(address, params={"state": name, "language": language}, timeout=60)

            assert response.status_code == 200, name
            assert state.group == TO_SELLER or f'<html lang="{language}" dir="{direction}"' in response.text, name


def frame_widths(sandbox: Sandbox) -> list[str]:
    groups = dict.fromkeys(state.group for state in STATES.values())
    found: list[str] = []
    for group in groups:
        page = JustHTML(get(sandbox, "", group=group, width="both").text, strict=True, sanitize=False)
        found += [(frame.attrs or {})["width"] or "" for frame in page.query("iframe")]
    return found


def test_gallery_has_a_frame_of_each_width_for_each_state(
    sandbox: Sandbox, products_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = products_file.read_text(encoding="utf-8")
    table = f"[products.{PRODUCT_CODE}]\n"
    products_file.write_text(text.replace(table, f'{table}handoff_url = "{UNREACHABLE_URL}"\n', 1), encoding="utf-8")
    for name, value in factories.handoff_environment(UNREACHABLE_URL).items():
        if name != "PRODUCT_HANDOFF_URL":
            monkeypatch.setenv(name, value)

    assert frame_widths(sandbox) == ["390", "1280"] * len(STATES)


def test_product_without_handoffs_has_no_pages_about_accounts(sandbox: Sandbox, products_file: Path) -> None:
    shown = [state for state in STATES.values() if not state.needs_handoffs]
    form = get(sandbox, "/frame", state="Sign-up form: filled in").text

    assert frame_widths(sandbox) == ["390", "1280"] * len(shown)
    assert 'name="account"' not in form


def test_form_has_the_products_questions_brand_and_texts(sandbox: Sandbox, products_file: Path) -> None:
    page = get(sandbox, "/frame", state="Sign-up form: empty", language="de").text

    assert "Teamname" in page
    assert "Los geht es" in page
    assert 'class="logo"' in page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_stylesheets_and_pictures_of_a_frame_are_of_its_scheme(
    sandbox: Sandbox, products_file: Path, scheme: str
) -> None:
    page = get(sandbox, "/frame", state="Sign-up form: empty", scheme=scheme).text
    files = re.findall(r'(?:href|src)="(/gallery/files/[a-z]+/(?:static|brand)/[^"]+)"', page)
    responses = [requests.get(f"{sandbox.storefront_url}{file}", timeout=60) for file in files]

    assert {response.status_code for response in responses} == {200}
    assert {response.headers["Content-Type"].partition(";")[0] for response in responses} == {
        "text/css",
        "image/svg+xml",
    }
    assert f'content="{scheme}"' in page
    assert all("prefers-color-scheme" not in response.text for response in responses)
    assert f"color-scheme: {scheme};" in "".join(response.text for response in responses)


def test_frame_runs_nothing_and_is_framed_by_the_gallery_alone(sandbox: Sandbox, products_file: Path) -> None:
    for state in ("Sign-up form: empty", "Mails to buyers: registered"):
        policy = get(sandbox, "/frame", state=state).headers["Content-Security-Policy"]

        assert policy.startswith("default-src 'none'; ")
        assert policy.endswith("form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox allow-same-origin")


def test_change_of_the_file_shows_at_the_next_request(sandbox: Sandbox, products_file: Path) -> None:
    before = get(sandbox, "/frame", state="Welcome: active, account ready, no end").text
    text = products_file.read_text(encoding="utf-8")
    products_file.write_text(text.replace("Acme Insights", "Acme Foresight"), encoding="utf-8")

    after = get(sandbox, "/frame", state="Welcome: active, account ready, no end").text

    assert ("Acme Foresight" in before, "Acme Foresight" in after) == (False, True)


@pytest.mark.parametrize("path", ["", "/frame"])
def test_fault_of_the_file_is_named_in_place_of_the_page(sandbox: Sandbox, products_file: Path, path: str) -> None:
    text = products_file.read_text(encoding="utf-8")
    products_file.write_text(text.replace("#0b5fff", "#ffff00"), encoding="utf-8")

    response = get(sandbox, path, state="Sign-up form: empty", reload="2")

    shown = JustHTML(response.text, strict=True, sanitize=False).query("pre")[0].to_text()
    assert f"{products_file} has faults:" in shown
    assert "brand] accent" in shown
    assert response.headers["Refresh"] == "2"


def test_page_is_read_anew_as_often_as_chosen(sandbox: Sandbox, products_file: Path) -> None:
    assert "Refresh" not in get(sandbox, "").headers
    assert get(sandbox, "", reload="10").headers["Refresh"] == "10"


@pytest.mark.parametrize("path", ["/frame?state=nope", "/files/light/healthz", "/files/dim/static/style.css"])
def test_gallery_has_nothing_but_states_and_their_files(sandbox: Sandbox, products_file: Path, path: str) -> None:
    assert get(sandbox, path).status_code == 404

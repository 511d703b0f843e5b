"""A form with a brand and questions of its own in print, in forced colours, from right to left, and at 400 %."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from app import create_app
from sandbox.server import Sandbox
from tests.e2e.test_accessibility import BACKGROUND, COLOUR
from tests.e2e.test_pages import fulfill_from_app
from tests.support import asked_questions, factories, pictures
from tests.support.asked_questions import QUESTIONS
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD
from tests.support.local_server import serve_app

FORM_URL = "http://localhost/signup"
CONTROLS = "#answers :is(input:not([type=hidden]), select, textarea)"
# How far right of the middle of its line each circle or box to tick stands.
PLACES = """() => [...document.querySelectorAll("#answers .choice")].map(choice => {
    const [line, control] = [choice, choice.querySelector("input")].map(element => element.getBoundingClientRect());
    return control.left - (line.left + line.right) / 2;
})"""
# The skip link is out of sight until it is focused.
TOO_WIDE = """() => [...document.querySelectorAll("body :not(.skip)")].filter(
    element => element.checkVisibility() && element.getBoundingClientRect().right > innerWidth + 1
).map(element => element.outerHTML.slice(0, 100))"""

pytestmark = on_sqlite


@pytest.fixture
def form_client(environment: pytest.MonkeyPatch, sandbox: Sandbox, tmp_path: Path) -> Iterator[FlaskClient]:
    """A buyer of a branded product that asks a question of each type."""
    (tmp_path / "logo.svg").write_bytes(pictures.LOGO_SVG)
    (tmp_path / "dark.png").write_bytes(pictures.png(240, 80))
    brand = {"logo": "logo.svg", "logo_dark": "dark.png", "accent": "#b3261e"}
    asked_questions.configure(environment, tmp_path, QUESTIONS, brand=brand)
    with factories.open_app(create_app()) as app:
        client = app.test_client()
        client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
        yield client


@pytest.fixture
def form_page(axe_page: Page, form_client: FlaskClient) -> Page:
    """The buyer's browser, in which the form is open."""
    axe_page.route("**/*", lambda route: fulfill_from_app(route, form_client))
    axe_page.goto(FORM_URL)
    return axe_page


def speak(page: Page, client: FlaskClient, language: str) -> None:
    client.post("/language", data={"language": language})
    page.goto(FORM_URL)
    assert page.locator("html").get_attribute("lang") == language


def test_logo_is_shown_in_a_mail_program_on_another_site(axe_page: Page, form_client: FlaskClient) -> None:
    [path] = set(re.findall(r'"(/brand/[^"]+[.]svg)"', form_client.get("/signup").text))
    mail_program = Flask("mail_program")
    with serve_app(form_client.application) as url, serve_app(mail_program) as mail_url:
        mail_program.add_url_rule("/", "show", lambda: f'<img src="{url}{path}">')
        axe_page.goto(mail_url)

        assert axe_page.locator("img").evaluate("picture => picture.naturalWidth") > 0


def test_dark_page_is_printed_with_the_logo_and_colours_for_white_paper(form_page: Page) -> None:
    logo, link = form_page.locator("img.logo"), form_page.locator("footer a").first
    light_logo = logo.evaluate("picture => picture.src")
    colours = {}
    for media, scheme in (("screen", "light"), ("screen", "dark"), ("print", "dark"), ("print", "light")):
        form_page.emulate_media(media=media, color_scheme=scheme)  # type: ignore[arg-type]
        # The browser chooses the picture a moment later: dark print follows dark screen, so that it has to change.
        chosen = expect(logo)
        if (media, scheme) == ("screen", "dark"):
            chosen.not_to_have_js_property("currentSrc", light_logo)
        else:
            chosen.to_have_js_property("currentSrc", light_logo)
        colours[media, scheme] = link.evaluate(COLOUR)

    assert colours["screen", "dark"] != colours["screen", "light"]
    assert colours["print", "dark"] == colours["print", "light"]


def test_forced_colours_keep_the_border_of_each_control(form_page: Page) -> None:
    form_page.emulate_media(forced_colors="active")

    page_colour = form_page.locator(".card").last.evaluate(BACKGROUND)
    borders = form_page.locator(CONTROLS).evaluate_all(
        "controls => controls.map(control => [control.type, getComputedStyle(control).borderTopWidth,"
        " getComputedStyle(control).borderTopColor, getComputedStyle(control).appearance])"
    )

    drawn_by_us = [border for border in borders if border[3] == "none" or border[0] not in {"radio", "checkbox"}]
    assert len(borders) >= len(QUESTIONS)
    assert [border for border in drawn_by_us if border[1] == "0px" or border[2] == page_colour] == []


def test_circles_and_boxes_stand_right_in_arabic(form_page: Page, form_client: FlaskClient) -> None:
    speak(form_page, form_client, "ar")

    places = form_page.evaluate(PLACES)

    assert len(places) >= 6
    assert min(places) > 0


@pytest.mark.parametrize("language", ["de", "ja", "ar"])
def test_nothing_is_cut_off_at_400_percent(form_page: Page, form_client: FlaskClient, language: str) -> None:
    # A window of 1280 by 1024 pixels, enlarged four times.
    form_page.set_viewport_size({"width": 320, "height": 256})
    speak(form_page, form_client, language)

    assert form_page.evaluate("document.documentElement.scrollWidth") <= 320
    assert form_page.evaluate(TOO_WIDE) == []

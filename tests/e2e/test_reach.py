"""Pages for who sees little, has no mouse, writes from right to left or keeps no cookies."""

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from app.services.delivery import mail_templates
from sandbox.server import Sandbox
from tests.databases import on_sqlite
from tests.e2e.test_pages import answer, signup, signup_with_errors
from tests.e2e.test_way_pages import walked
from tests.letters import facts
from tests.views.way import Newcomer

SMALL: ViewportSize = {"width": 320, "height": 568}
ARABIC = "شركة النور (Nour)"
# As high as a finger needs it; a choice is pressed by its words.
TAP_PIXELS = 44
# A link within a sentence is as high as its words.
PRESSED = "button, .button, .alone a, .sign-in a, .choice label, :is(input, textarea):not([type=hidden], [type=radio])"
LOW = """(pressed, least) => pressed
    .filter(it => it.checkVisibility() && it.getBoundingClientRect().height < least).map(it => it.outerHTML)"""

COLOUR = "it => getComputedStyle(it).color"
BACKGROUND = "(it, part) => getComputedStyle(it, part).backgroundColor"


def test_what_is_wrong_with_the_answers_is_the_first_thing_seen_and_read(buyer: Page, marketplace: Sandbox) -> None:
    buyer.set_viewport_size(SMALL)

    signup_with_errors(buyer, marketplace)

    expect(buyer.get_by_role("alert")).to_be_focused()
    expect(buyer.get_by_role("alert")).to_be_in_viewport(ratio=0.9)


def test_the_mistake_in_a_colleagues_address_is_the_first_thing_seen_and_read(
    buyer: Page, marketplace: Sandbox
) -> None:
    buyer.set_viewport_size(SMALL)
    signup(buyer, marketplace)
    buyer.get_by_role("link", name="Somebody else will set this up").click()

    buyer.get_by_role("button", name="Make a link").click()

    expect(buyer.get_by_role("alert")).to_be_focused()
    expect(buyer.get_by_role("alert")).to_be_in_viewport(ratio=0.9)


@on_sqlite
def test_what_is_pressed_is_as_high_as_a_finger_needs_it(auditor: Page, newcomer: Newcomer) -> None:
    for step in walked(auditor, newcomer):
        assert auditor.locator(PRESSED).evaluate_all(LOW, TAP_PIXELS) == [], step


@on_sqlite
def test_what_is_written_from_right_to_left_is_shown_so(auditor: Page, newcomer: Newcomer) -> None:
    auditor.route("**/*", lambda route: answer(route, newcomer.client))
    newcomer.registers(company=ARABIC, full_name=ARABIC, notes=ARABIC)

    directions = []
    for path in ("/welcome", "/signup?change"):
        auditor.goto(f"http://localhost{path}")
        written = auditor.locator(f"dd:has-text('{ARABIC}'), #company, #full_name, #notes")
        directions += written.evaluate_all("found => found.map(it => getComputedStyle(it).direction)")

    assert directions == ["rtl"] * 6


@pytest.mark.parametrize("name", ["buyer_registered", "seller_registered"])
def test_a_letter_shows_what_is_written_from_right_to_left_so(auditor: Page, name: str) -> None:
    typed = dict.fromkeys(("company", "full_name", "notes"), ARABIC)

    auditor.set_content(mail_templates.compose(name, facts(typed)).html)

    written = auditor.locator(f"dd:has-text('{ARABIC}')")
    directions = written.evaluate_all("found => found.map(it => getComputedStyle(it).direction)")
    assert set(directions) == {"rtl"}


@on_sqlite
def test_who_has_colours_of_their_own_sees_what_works_and_where_they_are(auditor: Page, newcomer: Newcomer) -> None:
    auditor.route("**/*", lambda route: answer(route, newcomer.client))
    auditor.emulate_media(forced_colors="active", reduced_motion="reduce")
    newcomer.registers()
    auditor.goto("http://localhost/welcome")

    paper = auditor.locator("body").evaluate(BACKGROUND)
    working = auditor.locator(".working").evaluate(BACKGROUND, "::after")
    now = auditor.locator(".steps .now").evaluate(BACKGROUND, "::before")

    assert paper not in {working, now}


def test_who_has_colours_of_their_own_sees_a_letters_button(auditor: Page) -> None:
    auditor.emulate_media(forced_colors="active")

    auditor.set_content(mail_templates.compose("buyer_registered", facts()).html)

    assert auditor.locator(".button").evaluate("it => getComputedStyle(it).borderTopWidth") == "1px"


@on_sqlite
def test_a_page_in_the_dark_is_printed_as_dark_on_white(auditor: Page, newcomer: Newcomer) -> None:
    auditor.route("**/*", lambda route: answer(route, newcomer.client))
    newcomer.registers()
    auditor.goto("http://localhost/welcome")

    auditor.emulate_media(media="print", color_scheme="light")
    by_day = auditor.locator("h1").evaluate(COLOUR)
    auditor.emulate_media(media="print", color_scheme="dark")

    assert auditor.locator("h1").evaluate(COLOUR) == by_day

"""Pages for who sees little, has no mouse, writes from right to left or keeps no cookies."""

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from app.services.delivery import mail_templates
from sandbox.server import Sandbox
from tests.e2e.test_enter_pages import enter_steps
from tests.e2e.test_pages import fulfill_from_app, signup, signup_with_errors
from tests.support.databases import on_sqlite
from tests.support.mail_examples import context_with
from tests.support.new_buyer import NewBuyer

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


def test_what_is_wrong_with_the_answers_is_the_first_thing_seen_and_read(
    buyer_page: Page, marketplace: Sandbox
) -> None:
    buyer_page.set_viewport_size(SMALL)

    signup_with_errors(buyer_page, marketplace)

    expect(buyer_page.get_by_role("alert")).to_be_focused()
    expect(buyer_page.get_by_role("alert")).to_be_in_viewport(ratio=0.9)


def test_the_mistake_in_a_colleagues_address_is_the_first_thing_seen_and_read(
    buyer_page: Page, marketplace: Sandbox
) -> None:
    buyer_page.set_viewport_size(SMALL)
    signup(buyer_page, marketplace)
    buyer_page.get_by_role("link", name="Someone else will set this up").click()

    buyer_page.get_by_role("button", name="Create link").click()

    expect(buyer_page.get_by_role("alert")).to_be_focused()
    expect(buyer_page.get_by_role("alert")).to_be_in_viewport(ratio=0.9)


@on_sqlite
def test_what_is_pressed_is_as_high_as_a_finger_needs_it(axe_page: Page, new_buyer: NewBuyer) -> None:
    for step in enter_steps(axe_page, new_buyer):
        assert axe_page.locator(PRESSED).evaluate_all(LOW, TAP_PIXELS) == [], step


@on_sqlite
def test_what_is_written_from_right_to_left_is_shown_so(axe_page: Page, new_buyer: NewBuyer) -> None:
    axe_page.route("**/*", lambda route: fulfill_from_app(route, new_buyer.client))
    new_buyer.register(company=ARABIC, full_name=ARABIC, notes=ARABIC)

    directions = []
    for path in ("/welcome", "/signup?change"):
        axe_page.goto(f"http://localhost{path}")
        written = axe_page.locator(f"dd:has-text('{ARABIC}'), #company, #full_name, #notes")
        directions += written.evaluate_all("found => found.map(it => getComputedStyle(it).direction)")

    assert directions == ["rtl"] * 6


@pytest.mark.parametrize("name", ["buyer_registered", "seller_registered"])
def test_a_letter_shows_what_is_written_from_right_to_left_so(axe_page: Page, name: str) -> None:
    typed = dict.fromkeys(("company", "full_name", "notes"), ARABIC)

    axe_page.set_content(mail_templates.compose(name, context_with(typed)).html)

    written = axe_page.locator(f"dd:has-text('{ARABIC}')")
    directions = written.evaluate_all("found => found.map(it => getComputedStyle(it).direction)")
    assert set(directions) == {"rtl"}


@on_sqlite
def test_who_has_colours_of_their_own_sees_what_works_and_where_they_are(axe_page: Page, new_buyer: NewBuyer) -> None:
    axe_page.route("**/*", lambda route: fulfill_from_app(route, new_buyer.client))
    axe_page.emulate_media(forced_colors="active", reduced_motion="reduce")
    new_buyer.register()
    axe_page.goto("http://localhost/welcome")

    paper = axe_page.locator("body").evaluate(BACKGROUND)
    working = axe_page.locator(".working").evaluate(BACKGROUND, "::after")
    now = axe_page.locator(".steps .now").evaluate(BACKGROUND, "::before")

    assert paper not in {working, now}


def test_who_has_colours_of_their_own_sees_a_letters_button(axe_page: Page) -> None:
    axe_page.emulate_media(forced_colors="active")

    axe_page.set_content(mail_templates.compose("buyer_registered", context_with()).html)

    assert axe_page.locator(".button").evaluate("it => getComputedStyle(it).borderTopWidth") == "1px"


@on_sqlite
def test_a_page_in_the_dark_is_printed_as_dark_on_white(axe_page: Page, new_buyer: NewBuyer) -> None:
    axe_page.route("**/*", lambda route: fulfill_from_app(route, new_buyer.client))
    new_buyer.register()
    axe_page.goto("http://localhost/welcome")

    axe_page.emulate_media(media="print", color_scheme="light")
    by_day = axe_page.locator("h1").evaluate(COLOUR)
    axe_page.emulate_media(media="print", color_scheme="dark")

    assert axe_page.locator("h1").evaluate(COLOUR) == by_day

"""Accessibility for low vision, touch screens, right-to-left scripts, forced colours and print."""

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
# The minimum height of a touch target; a radio button's target is its label.
TAP_PIXELS = 44
# Links within a sentence are exempt.
TOUCH_TARGETS = (
    "button, .button, .alone a, .sign-in a, .choice label, :is(input, textarea):not([type=hidden], [type=radio])"
)
TOO_LOW = """(elements, pixels) => elements.filter(
    element => element.checkVisibility() && element.getBoundingClientRect().height < pixels
).map(element => element.outerHTML)"""

COLOUR = "element => getComputedStyle(element).color"
BACKGROUND = "(element, pseudoElement) => getComputedStyle(element, pseudoElement).backgroundColor"
DIRECTIONS = "elements => elements.map(element => getComputedStyle(element).direction)"


def test_error_summary_of_the_signup_form_is_focused_and_visible(buyer_page: Page, marketplace: Sandbox) -> None:
    buyer_page.set_viewport_size(SMALL)

    signup_with_errors(buyer_page, marketplace)

    expect(buyer_page.get_by_role("alert")).to_be_focused()
    expect(buyer_page.get_by_role("alert")).to_be_in_viewport(ratio=0.9)


def test_error_summary_of_the_invitation_form_is_focused_and_visible(buyer_page: Page, marketplace: Sandbox) -> None:
    buyer_page.set_viewport_size(SMALL)
    signup(buyer_page, marketplace)
    buyer_page.get_by_role("link", name="Invite a colleague").click()

    buyer_page.get_by_role("button", name="Create link").click()

    expect(buyer_page.get_by_role("alert")).to_be_focused()
    expect(buyer_page.get_by_role("alert")).to_be_in_viewport(ratio=0.9)


@on_sqlite
def test_touch_targets_are_at_least_44_pixels_high(axe_page: Page, new_buyer: NewBuyer) -> None:
    for step in enter_steps(axe_page, new_buyer):
        assert axe_page.locator(TOUCH_TARGETS).evaluate_all(TOO_LOW, TAP_PIXELS) == [], step


@on_sqlite
def test_pages_show_arabic_answers_from_right_to_left(axe_page: Page, new_buyer: NewBuyer) -> None:
    axe_page.route("**/*", lambda route: fulfill_from_app(route, new_buyer.client))
    new_buyer.register(company=ARABIC, full_name=ARABIC, notes=ARABIC)

    directions = []
    for path in ("/welcome", "/signup?change"):
        axe_page.goto(f"http://localhost{path}")
        answers = axe_page.locator(f"dd:has-text('{ARABIC}'), #company, #full_name, #notes")
        directions += answers.evaluate_all(DIRECTIONS)

    assert directions == ["rtl"] * 6


@pytest.mark.parametrize("name", ["buyer_registered", "seller_registered"])
def test_mail_shows_arabic_answers_from_right_to_left(axe_page: Page, name: str) -> None:
    answers = dict.fromkeys(("company", "full_name", "notes"), ARABIC)

    axe_page.set_content(mail_templates.compose(name, context_with(answers)).html)

    assert set(axe_page.locator(f"dd:has-text('{ARABIC}')").evaluate_all(DIRECTIONS)) == {"rtl"}


@on_sqlite
def test_forced_colours_keep_the_spinner_and_the_current_step_visible(axe_page: Page, new_buyer: NewBuyer) -> None:
    axe_page.route("**/*", lambda route: fulfill_from_app(route, new_buyer.client))
    axe_page.emulate_media(forced_colors="active", reduced_motion="reduce")
    new_buyer.register()
    axe_page.goto("http://localhost/welcome")

    page_colour = axe_page.locator("body").evaluate(BACKGROUND)
    spinner_colour = axe_page.locator(".working").evaluate(BACKGROUND, "::after")
    step_colour = axe_page.locator(".steps .now").evaluate(BACKGROUND, "::before")

    assert page_colour not in {spinner_colour, step_colour}


def test_forced_colours_keep_the_border_of_a_mails_button(axe_page: Page) -> None:
    axe_page.emulate_media(forced_colors="active")

    axe_page.set_content(mail_templates.compose("buyer_registered", context_with()).html)

    assert axe_page.locator(".button").evaluate("element => getComputedStyle(element).borderTopWidth") == "1px"


@on_sqlite
def test_page_in_dark_mode_is_printed_in_the_light_colours(axe_page: Page, new_buyer: NewBuyer) -> None:
    axe_page.route("**/*", lambda route: fulfill_from_app(route, new_buyer.client))
    new_buyer.register()
    axe_page.goto("http://localhost/welcome")

    axe_page.emulate_media(media="print", color_scheme="light")
    light_colour = axe_page.locator("h1").evaluate(COLOUR)
    axe_page.emulate_media(media="print", color_scheme="dark")

    assert axe_page.locator("h1").evaluate(COLOUR) == light_colour

"""Pages for who sees little, has no mouse, writes from right to left or keeps no cookies."""

from playwright.sync_api import Page, ViewportSize, expect

from app.sandbox.server import Sandbox
from tests.e2e.test_pages import signup, signup_with_errors

SMALL: ViewportSize = {"width": 320, "height": 568}


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

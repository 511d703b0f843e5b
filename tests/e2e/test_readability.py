"""Small screens and large text: no word is broken, the form comes first, and the focus never jumps up."""

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from sandbox import catalogue
from sandbox.server import Sandbox
from tests.e2e.test_accessibility import SMALL
from tests.e2e.test_enter_pages import enter_steps
from tests.e2e.test_journey import fill_in, register
from tests.e2e.test_pages import DESK, PHONE, fulfill_from_app, signup
from tests.support import factories, registered_buyer
from tests.support.databases import on_sqlite
from tests.support.new_buyer import NewBuyer
from tests.support.registered_buyer import NOW, RegisteredBuyer

ENTITLEMENTS = [
    {**registered_buyer.VALID_SEATS, "dimension": "standard"},
    {**registered_buyer.EXPIRED_SEATS, "dimension": "professional"},
]
TEXT_AT_200_PERCENT = "document.documentElement.style.fontSize = '200%'"
# Ids and addresses have to break; words of letters alone must not.
BROKEN_WORDS = r"""() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), broken = [];
    while (walker.nextNode()) {
        const node = walker.currentNode;
        if (!node.parentElement.checkVisibility() || node.parentElement.closest('.unseen')) continue;
        for (const match of node.data.matchAll(/(?<!\S)\p{L}+(?!\S)/gu)) {
            const range = document.createRange();
            range.setStart(node, match.index);
            range.setEnd(node, match.index + match[0].length);
            if (new Set([...range.getClientRects()].map(rect => rect.top)).size > 1) broken.push(match[0]);
        }
    }
    return broken;
}"""
FOCUSED_TOP = "() => document.activeElement.getBoundingClientRect().top + scrollY"


def check_words(page: Page, step: str) -> None:
    assert page.evaluate(BROKEN_WORDS) == [], step
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"], step  # type: ignore[index]


@on_sqlite
def test_no_word_is_broken_on_small_screens_and_in_large_text(axe_page: Page, new_buyer: NewBuyer) -> None:
    for step in enter_steps(axe_page, new_buyer):
        axe_page.set_viewport_size(SMALL)
        check_words(axe_page, step)
        for size in (PHONE, DESK):
            axe_page.set_viewport_size(size)
            axe_page.evaluate(TEXT_AT_200_PERCENT)
            check_words(axe_page, step)
        axe_page.set_viewport_size(PHONE)


@on_sqlite
def test_words_of_the_contracts_table_are_not_broken(
    environment: pytest.MonkeyPatch, axe_page: Page, request: pytest.FixtureRequest
) -> None:
    environment.setenv("PRODUCT_PRICING", "contract")
    new_buyer: NewBuyer = request.getfixturevalue("new_buyer")
    buyer = RegisteredBuyer(new_buyer.client, new_buyer.register())
    new_buyer.deliver_handoffs(reference="juniper-7f3k")
    new_buyer.client.get("/enter")
    buyer.set_entitlements(*ENTITLEMENTS)
    axe_page.route("**/*", lambda route: fulfill_from_app(route, buyer.client))

    for status in ("active", "ending"):
        buyer.update_subscription(status=status, ends_at=NOW)
        axe_page.set_viewport_size(SMALL)
        axe_page.goto("http://localhost/welcome")
        check_words(axe_page, status)
        expect(axe_page.get_by_role("row", name="standard")).to_contain_text("1,500")
        axe_page.set_viewport_size(PHONE)
        axe_page.evaluate(TEXT_AT_200_PERCENT)
        check_words(axe_page, status)


@on_sqlite
def test_focus_goes_down_the_page_while_the_product_is_unknown(
    environment: pytest.MonkeyPatch, axe_page: Page, request: pytest.FixtureRequest, sandbox: Sandbox
) -> None:
    factories.enable_handoffs(environment, "")
    environment.delenv("PRODUCT_CODE")
    environment.delenv("PRODUCT_HANDOFF_URL")
    environment.setenv("PRODUCTS_FILE", str(catalogue.PRODUCTS_FILE))
    client: FlaskClient = request.getfixturevalue("client")
    sandbox.marketplace.change_faults(aws_down=True)
    client.post("/", data={factories.TOKEN_FIELD: factories.token(sandbox)})
    axe_page.route("**/*", lambda route: fulfill_from_app(route, client))

    for size in (PHONE, DESK):
        axe_page.set_viewport_size(size)
        axe_page.goto("http://localhost/signup")
        axe_page.get_by_label("Company").focus()
        tops = []
        while axe_page.locator("footer a:focus").count() == 0:
            tops.append(axe_page.evaluate(FOCUSED_TOP))
            axe_page.keyboard.press("Tab")

        assert tops == sorted(tops), size
        assert axe_page.get_by_role("main").get_by_role("link", name="Acme").count() > 1


def test_phone_shows_the_form_first_and_the_purchase_on_one_line(buyer_page: Page, marketplace: Sandbox) -> None:
    buyer_page.set_viewport_size(PHONE)

    signup(buyer_page, marketplace)
    purchase = buyer_page.locator("#purchase")

    assert purchase.bounding_box()["height"] < 60  # type: ignore[index]
    assert buyer_page.get_by_label("Company").bounding_box()["y"] < PHONE["height"] / 2  # type: ignore[index]
    expect(purchase.get_by_text("Agreement")).to_be_hidden()
    purchase.locator("summary").click()
    expect(purchase.get_by_text("Agreement")).to_be_visible()


def test_wide_screen_shows_the_whole_purchase(buyer_page: Page, marketplace: Sandbox) -> None:
    buyer_page.set_viewport_size(DESK)

    signup(buyer_page, marketplace)

    expect(buyer_page.locator("#purchase").get_by_text("Agreement")).to_be_visible()
    expect(buyer_page.locator("#purchase summary")).to_be_hidden()


def test_fragment_of_an_errors_link_does_not_survive_the_form(buyer_page: Page, marketplace: Sandbox) -> None:
    signup(buyer_page, marketplace)
    buyer_page.get_by_role("button", name="Register").click()
    buyer_page.get_by_role("link", name="Enter your full name.").click()
    assert buyer_page.url.endswith("#full_name")

    register(buyer_page)

    expect(buyer_page).to_have_url(f"{marketplace.app_url}welcome")


@pytest.mark.parametrize(("button", "stored"), [("Keep it", "ada@gmial.com"), ("Use ada@gmail.com", "ada@gmail.com")])
def test_one_press_answers_the_hint_about_an_address(
    buyer_page: Page, marketplace: Sandbox, button: str, stored: str
) -> None:
    signup(buyer_page, marketplace)
    fill_in(buyer_page)
    buyer_page.get_by_label("Work email").fill("ada@gmial.com")
    buyer_page.get_by_role("button", name="Register").click()
    expect(buyer_page.get_by_role("alert")).to_be_focused()

    buyer_page.get_by_role("button", name=button).click()

    expect(buyer_page).to_have_url(f"{marketplace.app_url}welcome")
    expect(buyer_page.get_by_text(stored)).to_be_visible()


def test_enter_in_a_field_does_not_change_a_mistyped_address(buyer_page: Page, marketplace: Sandbox) -> None:
    signup(buyer_page, marketplace)
    fill_in(buyer_page)
    buyer_page.get_by_label("Work email").fill("ada@gmial.com")
    for _ in range(2):
        buyer_page.get_by_label("Company").press("Enter")

    expect(buyer_page).to_have_url(f"{marketplace.app_url}welcome")
    expect(buyer_page.get_by_text("ada@gmial.com")).to_be_visible()

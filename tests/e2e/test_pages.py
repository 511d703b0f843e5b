"""Every page a buyer can meet, judged by axe (WCAG 2.2 AA) and by its width on a phone."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize

from app.sandbox.faults import Faults
from app.sandbox.server import Sandbox
from tests.e2e.test_journey import buy, fill_in, lose_the_token, register, set_up

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 900}
Visit = Callable[[Page, Sandbox], None]


def start(page: Page, sandbox: Sandbox) -> None:
    page.goto(sandbox.app_url)


def storefront(page: Page, sandbox: Sandbox) -> None:
    page.goto(sandbox.storefront_url)


def product(page: Page, sandbox: Sandbox) -> None:
    storefront(page, sandbox)
    page.get_by_role("link", name="Acme Insights").first.click()


def purchases(page: Page, sandbox: Sandbox) -> None:
    buy(page, sandbox.storefront_url)
    page.goto(f"{sandbox.storefront_url}/purchases")


def faults(page: Page, sandbox: Sandbox) -> None:
    page.goto(f"{sandbox.storefront_url}/faults")


def signup(page: Page, sandbox: Sandbox) -> None:
    buy(page, sandbox.storefront_url)
    set_up(page)


def signup_with_errors(page: Page, sandbox: Sandbox) -> None:
    signup(page, sandbox)
    page.get_by_label("Phone").fill("call me")
    page.get_by_role("button", name="Register").click()
    page.get_by_role("alert").wait_for()


def signup_filled_in(page: Page, sandbox: Sandbox) -> None:
    signup(page, sandbox)
    fill_in(page)


def welcome(page: Page, sandbox: Sandbox) -> None:
    signup(page, sandbox)
    register(page)
    page.get_by_text("You are registered").wait_for()


def parked(page: Page, sandbox: Sandbox) -> None:
    buy(page, sandbox.storefront_url)
    sandbox.world.faults = Faults(aws_down=True)
    set_up(page)
    page.get_by_text("AWS Marketplace is slow to answer").wait_for()


def unlinked(page: Page, sandbox: Sandbox) -> None:
    parked(page, sandbox)
    register(page)
    page.get_by_text("We have your registration").wait_for()


def died(page: Page, sandbox: Sandbox) -> None:
    lose_the_token(page, sandbox)


def told_before(page: Page, sandbox: Sandbox) -> None:
    lose_the_token(page, sandbox)
    page.goto(f"{sandbox.storefront_url}/purchases")
    set_up(page)
    page.get_by_text("We kept what you told us before").wait_for()


def no_purchase(page: Page, sandbox: Sandbox) -> None:
    page.goto(f"{sandbox.app_url}signup")


def not_found(page: Page, sandbox: Sandbox) -> None:
    page.goto(f"{sandbox.app_url}nowhere")


def meeting(fault: str, value: object = True) -> Visit:
    def visit(page: Page, sandbox: Sandbox) -> None:
        buy(page, sandbox.storefront_url)
        sandbox.world.faults = sandbox.world.faults.model_copy(update={fault: value})
        set_up(page)
        page.locator(".reference").wait_for()

    visit.__name__ = fault
    return visit


VISITS: list[Visit] = [
    start,
    signup,
    signup_filled_in,
    signup_with_errors,
    welcome,
    parked,
    unlinked,
    died,
    told_before,
    no_purchase,
    not_found,
    *map(meeting, ("expired", "invalid", "access_denied", "other_product", "no_customer")),
    storefront,
    product,
    purchases,
    faults,
]


@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: visit.__name__)
def test_a_page_is_accessible_and_fits_a_phone_in_light_and_dark(
    auditor: Page, marketplace: Sandbox, visit: Visit
) -> None:
    auditor.set_viewport_size(PHONE)

    visit(auditor, marketplace)

    judge(auditor, {"type": "tag", "values": RULES})
    # The dark scheme changes nothing but colours.
    auditor.emulate_media(color_scheme="dark")
    judge(auditor, {"type": "rule", "values": ["color-contrast"]})
    assert auditor.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def judge(page: Page, rules: dict[str, object]) -> None:
    """Let axe look for what is against the rules."""
    found = Axe().run(page, options={"runOnly": rules})
    assert found.violations_count == 0, found.generate_report()

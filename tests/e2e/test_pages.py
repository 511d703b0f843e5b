"""Every page a buyer can see, checked by axe (WCAG 2.2 AA) and for its width on a phone."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from axe_playwright_python.base import AxeResults
from axe_playwright_python.sync_playwright import Axe
from flask.testing import FlaskClient
from playwright.sync_api import Page, Route, ViewportSize

from sandbox import batch_meter_usage
from sandbox.faults import Faults
from sandbox.purchases import Order
from sandbox.seller_account import SELLER_ACCOUNT_ID
from sandbox.server import Sandbox
from tests.e2e.test_journey import buy, click_set_up_account, let_token_expire, register
from tests.support import factories, registered_buyer
from tests.support.databases import on_sqlite
from tests.support.registered_buyer import RegisteredBuyer

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


def faults(page: Page, sandbox: Sandbox) -> None:
    page.goto(f"{sandbox.storefront_url}/faults")


def usage(page: Page, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(Order(product_code=factories.PRODUCT_CODE))
    sandbox.marketplace.apply_action(purchase, "confirm")
    used = {"CustomerAWSAccountId": purchase.account_id, "LicenseArn": purchase.license_arn, "Quantity": 3}
    record = {**used, "Dimension": "gb_processed", "Timestamp": sandbox.clock.now().timestamp()}
    for records in ([record], [record] * 26):
        body = json.dumps({"UsageRecords": records}).encode()
        batch_meter_usage.answer(sandbox.marketplace, body, "", SELLER_ACCOUNT_ID)
    page.goto(f"{sandbox.storefront_url}/usage")
    page.locator("summary").first.click()


def signup(page: Page, sandbox: Sandbox) -> None:
    buy(page, sandbox.storefront_url)
    click_set_up_account(page)


def signup_with_errors(page: Page, sandbox: Sandbox) -> None:
    signup(page, sandbox)
    page.get_by_label("Phone").fill("call me")
    page.get_by_role("button", name="Register").click()
    page.get_by_role("alert").wait_for()


def pending_token(page: Page, sandbox: Sandbox) -> None:
    buy(page, sandbox.storefront_url)
    sandbox.marketplace.faults = Faults(aws_down=True)
    click_set_up_account(page)
    page.get_by_text("AWS Marketplace is slow to respond").wait_for()


def without_purchase(page: Page, sandbox: Sandbox) -> None:
    pending_token(page, sandbox)
    register(page)
    page.get_by_text("We have your registration").wait_for()


def expired_token(page: Page, sandbox: Sandbox) -> None:
    let_token_expire(page, sandbox)


def kept_answers(page: Page, sandbox: Sandbox) -> None:
    let_token_expire(page, sandbox)
    page.goto(f"{sandbox.storefront_url}/purchases")
    click_set_up_account(page)
    page.get_by_text("We saved your earlier answers").wait_for()


def no_purchase(page: Page, sandbox: Sandbox) -> None:
    page.goto(f"{sandbox.app_url}signup")


def not_found(page: Page, sandbox: Sandbox) -> None:
    page.goto(f"{sandbox.app_url}nowhere")


def visit_with_fault(fault: str, value: object = True) -> Visit:
    def visit(page: Page, sandbox: Sandbox) -> None:
        buy(page, sandbox.storefront_url)
        sandbox.marketplace.change_faults(**{fault: value})
        click_set_up_account(page)
        page.locator(".reference").wait_for()

    visit.__name__ = fault
    return visit


VISITS: list[Visit] = [
    start,
    signup,
    signup_with_errors,
    pending_token,
    without_purchase,
    expired_token,
    kept_answers,
    no_purchase,
    not_found,
    *map(visit_with_fault, ("expired", "invalid", "access_denied", "other_product", "no_customer")),
    storefront,
    product,
    purchases,
    faults,
    usage,
]


# A text of the welcome page in each state -> the values of the subscription's row.
EXPIRED, UNLIMITED = registered_buyer.EXPIRED_SEATS, {**registered_buyer.VALID_SEATS, "expires_at": None}
STATES: dict[str, dict[str, Any]] = {
    "You are registered": {"status": "pending"},
    "Your free trial is active": {"status": "active", "free_trial": True, "entitlements": [UNLIMITED, EXPIRED]},
    "We are checking": {"free_trial": False, "entitlements": None, "review_at": datetime.now(UTC)},
    "lists no entitlements": {"entitlements": [], "review_at": None},
    "Your contract has expired": {"entitlements": [EXPIRED]},
    "Your subscription is ending": {"status": "ending"},
    "Your purchase is not confirmed": {"status": "failed"},
}


@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: visit.__name__)
def test_page_is_accessible_and_fits_a_phone_in_both_colour_schemes(
    axe_page: Page, marketplace: Sandbox, visit: Visit
) -> None:
    axe_page.set_viewport_size(PHONE)

    visit(axe_page, marketplace)

    check_both_color_schemes(axe_page)


@on_sqlite
def test_welcome_page_is_accessible_in_every_state(
    environment: pytest.MonkeyPatch, axe_page: Page, request: pytest.FixtureRequest, sandbox: Sandbox
) -> None:
    environment.setenv("PRODUCT_PRICING", "contract")
    client: FlaskClient = request.getfixturevalue("client")
    purchase = sandbox.marketplace.buy(factories.order())
    registered_buyer.land_and_register(client, sandbox.marketplace.mint_token(purchase))
    buyer = RegisteredBuyer(client, purchase)
    axe_page.set_viewport_size(PHONE)
    axe_page.route("**/*", lambda route: fulfill_from_app(route, client))

    for page_text, values in STATES.items():
        buyer.update_subscription(entitlements_read_at=datetime.now(UTC), **values)
        axe_page.goto("http://localhost/welcome")

        assert axe_page.get_by_text(page_text).count() > 0, page_text
        check_both_color_schemes(axe_page)


def fulfill_from_app(route: Route, client: FlaskClient) -> None:
    """Answer from the application in this process, without Refresh: the page must stay while it is checked."""
    with client.get(route.request.url) as response:
        response.headers.pop("Refresh", None)
        route.fulfill(status=response.status_code, headers=dict(response.headers), body=response.data)


def check_both_color_schemes(page: Page) -> None:
    """Run all rules on the page in light colours, the contrast rule in dark ones, and check its width."""
    # A page that refreshes itself must stay while it is checked, but have its styles.
    page.wait_for_load_state("load")
    page.evaluate("window.stop()")
    page.emulate_media(color_scheme="light")
    check_with_axe(page, {"type": "tag", "values": RULES})
    page.emulate_media(color_scheme="dark")
    check_with_axe(page, {"type": "rule", "values": ["color-contrast"]})
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def check_with_axe(page: Page, rules: dict[str, object]) -> None:
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    # Otherwise axe describes each element that passed as well, which takes longer than to check them.
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    results = AxeResults(page.evaluate("options => axe.run(options)", options))
    assert results.violations_count == 0, results.generate_report()

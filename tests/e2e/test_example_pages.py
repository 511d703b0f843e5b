"""The example product's pages: checked by axe, and usable without JavaScript."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from sandbox.example.server import ExampleProduct
from sandbox.example.troubles import Troubles
from tests.e2e.test_pages import DESK, PHONE, check_both_color_schemes
from tests.support import fake_foyer
from tests.support.fake_foyer import SECRET, FakeFoyer, handoff, send_handoff

ENTITLEMENTS = [{"dimension": "priority_support", "value": True, "expires_at": "2027-11-23T12:00:00.000Z"}]


@pytest.fixture(scope="module")
def keys() -> Iterator[FakeFoyer]:
    with fake_foyer.publish_keys(FakeFoyer()) as running:
        yield running


@pytest.fixture
def example(keys: FakeFoyer) -> Iterator[ExampleProduct]:
    with ExampleProduct(secrets=[SECRET], site_url=keys.site_url) as running:
        yield running


def register_buyer(example: ExampleProduct) -> str:
    payload = handoff(status="active", free_trial=True, ends_at="2027-11-23T12:00:00.000Z", entitlements=ENTITLEMENTS)
    url: str = send_handoff(example.handoff_url, payload).json()["url"]
    return url


@pytest.mark.parametrize("path", ["/", "/login", "/login?account=quillfeather-7f3k", "/t/none/enter", "/nowhere"])
def test_product_page_is_accessible_and_fits_a_phone(axe_page: Page, example: ExampleProduct, path: str) -> None:
    register_buyer(example)
    example.troubles = Troubles(busy=True, refuses="not_found")
    axe_page.set_viewport_size(PHONE)

    axe_page.goto(f"{example.url}{path}")

    check_both_color_schemes(axe_page)


def test_page_after_sign_in_is_accessible_and_fits_a_phone(
    axe_page: Page, example: ExampleProduct, keys: FakeFoyer
) -> None:
    axe_page.set_viewport_size(PHONE)

    axe_page.goto(f"{register_buyer(example)}?foyer_assertion={keys.sign_in_token()}")

    assert axe_page.get_by_role("heading", name="Welcome, Ada Lovelace").is_visible()
    check_both_color_schemes(axe_page)


def test_troubles_can_be_switched_without_javascript(buyer_page: Page, example: ExampleProduct) -> None:
    buyer_page.set_viewport_size(DESK)
    buyer_page.goto(example.url)

    buyer_page.get_by_label("Down").check()
    buyer_page.get_by_label("Slow").fill("2.5")
    buyer_page.get_by_label("Refuses links").select_option("A member has to confirm it first")
    buyer_page.get_by_role("button", name="Apply").click()
    buyer_page.get_by_label("Down").and_(buyer_page.locator(":checked")).wait_for()
    applied_troubles = example.troubles
    buyer_page.get_by_role("button", name="No trouble").click()
    buyer_page.get_by_label("Down").and_(buyer_page.locator(":not(:checked)")).wait_for()

    assert applied_troubles == Troubles(down=True, slow=2.5, refuses="confirmation_needed")
    assert example.troubles == Troubles()

"""The example product's pages, judged as every other page is, and the buyer's way through them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from sandbox.example.server import ExampleProduct
from sandbox.example.troubles import Troubles
from tests.e2e.test_pages import DESK, PHONE, judge_in_both_schemes
from tests.sandbox import foyer
from tests.sandbox.foyer import SECRET, Foyer, event, post

ENTITLEMENTS = [{"dimension": "priority_support", "value": True, "expires_at": "2027-11-23T12:00:00.000Z"}]


@pytest.fixture(scope="module")
def keys() -> Iterator[Foyer]:
    with foyer.published(Foyer()) as running:
        yield running


@pytest.fixture
def example(keys: Foyer) -> Iterator[ExampleProduct]:
    with ExampleProduct(secrets=[SECRET], site_url=keys.site_url) as running:
        yield running


def hand_off(example: ExampleProduct) -> str:
    sent = event(status="active", free_trial=True, ends_at="2027-11-23T12:00:00.000Z", entitlements=ENTITLEMENTS)
    url: str = post(example.handoff_url, sent).json()["url"]
    return url


@pytest.mark.parametrize("path", ["/", "/login", "/login?account=quillfeather-7f3k", "/t/none/enter", "/nowhere"])
def test_a_page_of_the_product_is_accessible_and_fits_a_phone(
    auditor: Page, example: ExampleProduct, path: str
) -> None:
    hand_off(example)
    example.troubles = Troubles(busy=True, refuses="not_found")
    auditor.set_viewport_size(PHONE)

    auditor.goto(f"{example.url}{path}")

    judge_in_both_schemes(auditor)


def test_the_page_inside_the_product_is_accessible_and_fits_a_phone(
    auditor: Page, example: ExampleProduct, keys: Foyer
) -> None:
    auditor.set_viewport_size(PHONE)

    auditor.goto(f"{hand_off(example)}?foyer_assertion={keys.assertion()}")

    assert auditor.get_by_role("heading", name="Welcome, Ada Lovelace").is_visible()
    judge_in_both_schemes(auditor)


def test_people_switch_troubles_on_and_off_without_javascript(buyer: Page, example: ExampleProduct) -> None:
    buyer.set_viewport_size(DESK)
    buyer.goto(example.url)

    buyer.get_by_label("Down").check()
    buyer.get_by_label("Slow").fill("2.5")
    buyer.get_by_label("Refuses links").select_option("A member has to confirm it first")
    buyer.get_by_role("button", name="Apply").click()
    buyer.get_by_label("Down").and_(buyer.locator(":checked")).wait_for()
    switched = example.troubles
    buyer.get_by_role("button", name="No trouble").click()
    buyer.get_by_label("Down").and_(buyer.locator(":not(:checked)")).wait_for()

    assert switched == Troubles(down=True, slow=2.5, refuses="confirmation_needed")
    assert example.troubles == Troubles()

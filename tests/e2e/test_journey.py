"""From the storefront to the welcome page, in a browser without JavaScript: landing, form, welcome."""

import re
import time

import pytest
import requests
from playwright.sync_api import Page, expect

from sandbox.faults import Faults
from sandbox.server import Sandbox
from tests.support import factories


def buy(buyer: Page, storefront: str) -> None:
    """Buy Acme Insights without a browser, and open the page of the purchases."""
    products = requests.get(f"{storefront}/api/products", timeout=30).json()
    code = next(product["code"] for product in products if product["name"] == "Acme Insights")
    requests.post(f"{storefront}/api/purchases", json={"product_code": code}, timeout=30).raise_for_status()
    buyer.goto(f"{storefront}/purchases")


def buy_at_the_storefront(buyer: Page, storefront: str) -> None:
    buyer.goto(storefront)
    buyer.get_by_role("link", name="Acme Insights").first.click()
    buyer.get_by_role("button", name="Subscribe").click()


def click_set_up_account(buyer: Page) -> None:
    buyer.get_by_role("button", name="Set up your account").first.click()


def fill_in(buyer: Page) -> None:
    buyer.get_by_label("Company").fill("Juniper & Lark")
    buyer.get_by_label("Full name").fill("Ada Lovelace")
    buyer.get_by_label("Work email").fill("ada@example.com")


def register(buyer: Page) -> None:
    fill_in(buyer)
    buyer.get_by_role("button", name="Register").click()


on_both_databases = pytest.mark.parametrize(
    "e2e_database_url", ["sqlite", "postgresql"], indirect=True, scope="session"
)


def let_token_expire(buyer: Page, sandbox: Sandbox) -> None:
    """Register while AWS is down; when AWS is back, it calls the token expired."""
    buy(buyer, sandbox.storefront_url)
    sandbox.marketplace.faults = Faults(aws_down=True)
    click_set_up_account(buyer)
    register(buyer)
    sandbox.marketplace.faults = Faults(expired=True)
    deadline = time.monotonic() + 60
    while buyer.get_by_text("One more step").count() == 0:
        assert time.monotonic() < deadline
        buyer.wait_for_timeout(200)
        buyer.reload()
    sandbox.marketplace.faults = Faults()


@on_both_databases
def test_buyer_gets_from_the_storefront_to_the_welcome_page(
    buyer_page: Page, storefront_url: str, sandbox: Sandbox
) -> None:
    urls: list[str] = []
    buyer_page.on("request", lambda request: urls.append(request.url))

    buy_at_the_storefront(buyer_page, storefront_url)
    click_set_up_account(buyer_page)
    expect(buyer_page).to_have_url(re.compile(r"^http://localhost:\d+/signup$"))
    expect(buyer_page.get_by_role("heading", level=1)).to_have_text("Register for Acme Insights")
    register(buyer_page)

    expect(buyer_page).to_have_url(re.compile(r"/welcome$"))
    expect(buyer_page.get_by_role("heading", level=1)).to_have_text("You are registered")
    expect(buyer_page.get_by_text("ada@example.com")).to_be_visible()
    sign_in = buyer_page.get_by_role("link", name="Sign in to Acme Insights")
    expect(sign_in).to_have_attribute("href", "https://app.acme.example/login")
    assert not [url for url in urls if re.search("token|lovelace|ada(@|%40)", url, re.IGNORECASE)]


def test_returning_buyer_gets_the_welcome_page(buyer_page: Page, storefront_url: str) -> None:
    buy(buyer_page, storefront_url)
    click_set_up_account(buyer_page)
    register(buyer_page)

    buyer_page.goto(f"{storefront_url}/purchases")
    click_set_up_account(buyer_page)

    expect(buyer_page).to_have_url(re.compile(r"/welcome$"))


@on_both_databases
def test_back_button_and_reload_make_no_second_registration(buyer_page: Page, storefront_url: str) -> None:
    buy(buyer_page, storefront_url)
    click_set_up_account(buyer_page)
    register(buyer_page)
    expect(buyer_page).to_have_url(re.compile(r"/welcome$"))
    buyer_page.wait_for_load_state()

    buyer_page.go_back()
    buyer_page.reload()

    expect(buyer_page).to_have_url(re.compile(r"/welcome$"))


def test_error_summary_links_to_the_fields(buyer_page: Page, storefront_url: str) -> None:
    buy(buyer_page, storefront_url)
    click_set_up_account(buyer_page)
    buyer_page.get_by_label("Company").fill("Juniper & Lark")
    buyer_page.get_by_label("Work email").fill("not-an-email")
    buyer_page.get_by_role("button", name="Register").click()

    expect(buyer_page).to_have_title(re.compile("^Error: "))
    buyer_page.get_by_role("link", name="Enter your full name.").click()
    expect(buyer_page.get_by_label("Full name")).to_be_focused()
    expect(buyer_page.get_by_label("Company")).to_have_value("Juniper & Lark")
    expect(buyer_page.get_by_label("Work email")).to_have_value("not-an-email")


def test_two_tabs_of_one_purchase_can_both_register(buyer_page: Page, storefront_url: str) -> None:
    buy(buyer_page, storefront_url)
    click_set_up_account(buyer_page)
    other = buyer_page.context.new_page()
    other.goto(f"{storefront_url}/purchases")
    click_set_up_account(other)

    register(other)
    register(buyer_page)

    expect(other).to_have_url(re.compile(r"/welcome$"))
    expect(buyer_page).to_have_url(re.compile(r"/welcome$"))


def test_form_of_another_purchase_is_refused(buyer_page: Page, storefront_url: str) -> None:
    buy(buyer_page, storefront_url)
    click_set_up_account(buyer_page)
    other = buyer_page.context.new_page()
    buy(other, storefront_url)
    click_set_up_account(other)

    register(buyer_page)

    expect(buyer_page).to_have_url(re.compile(r"/signup$"))
    expect(buyer_page.get_by_role("alert")).to_contain_text("another purchase")
    expect(buyer_page.get_by_label("Full name")).to_have_value("Ada Lovelace")
    buyer_page.get_by_role("button", name="Register").click()
    expect(buyer_page).to_have_url(re.compile(r"/welcome$"))


@on_both_databases
def test_registration_during_an_aws_outage_is_linked_without_a_click(
    buyer_page: Page, storefront_url: str, sandbox: Sandbox
) -> None:
    buy(buyer_page, storefront_url)
    sandbox.marketplace.faults = Faults(aws_down=True)
    click_set_up_account(buyer_page)
    expect(buyer_page.get_by_text("AWS Marketplace is slow to respond")).to_be_visible()
    register(buyer_page)
    expect(buyer_page.get_by_role("heading", level=1)).to_have_text("We have your registration")

    sandbox.marketplace.faults = Faults()

    # No click: the worker retries the token, and the page refreshes itself.
    expect(buyer_page.get_by_role("heading", level=1)).to_have_text("You are registered", timeout=60_000)
    expect(buyer_page.get_by_text("ada@example.com")).to_be_visible()


def test_buyer_whose_token_expired_in_an_outage_keeps_their_answers(
    buyer_page: Page, storefront_url: str, sandbox: Sandbox
) -> None:
    let_token_expire(buyer_page, sandbox)

    buyer_page.goto(f"{storefront_url}/purchases")
    click_set_up_account(buyer_page)
    expect(buyer_page.get_by_label("Full name")).to_have_value("Ada Lovelace")
    buyer_page.get_by_role("button", name="Register").click()

    expect(buyer_page.get_by_role("heading", level=1)).to_have_text("You are registered")


def test_error_page_has_instructions_for_the_owner_of_the_aws_account(
    buyer_page: Page, storefront_url: str, sandbox: Sandbox
) -> None:
    buy(buyer_page, storefront_url)
    sandbox.marketplace.faults = Faults(expired=True)

    click_set_up_account(buyer_page)

    expect(buyer_page.get_by_role("blockquote")).to_contain_text("Choose “Manage subscriptions”, then Acme Insights")


def test_storefront_posts_the_same_form_as_aws(buyer_page: Page, storefront_url: str) -> None:
    bodies: list[str] = []
    buyer_page.on(
        "request", lambda request: bodies.append(request.post_data or "") if request.method == "POST" else None
    )

    buy_at_the_storefront(buyer_page, storefront_url)
    click_set_up_account(buyer_page)

    assert re.fullmatch(rf"{factories.TOKEN_FIELD}=[A-Za-z0-9%]+", bodies[-1])
    assert "%2B" in bodies[-1]

"""A buyer's way in a real browser, without JavaScript: storefront, landing, form, welcome."""

import re
import time

import pytest
from playwright.sync_api import Page, expect

from sandbox.faults import Faults
from sandbox.server import Sandbox
from tests.support import factories


def buy(buyer: Page, storefront: str) -> None:
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
    """Let the buyer register while AWS is down, and AWS come back when the token is too old."""
    buy(buyer, sandbox.storefront_url)
    sandbox.marketplace.faults = Faults(aws_down=True)
    click_set_up_account(buyer)
    register(buyer)
    sandbox.marketplace.faults = Faults(expired=True)
    deadline = time.monotonic() + 60
    while buyer.get_by_text("One more step").count() == 0:
        assert time.monotonic() < deadline
        buyer.reload()
    sandbox.marketplace.faults = Faults()


@on_both_databases
def test_a_buyer_gets_from_the_storefront_to_the_welcome_page(
    buyer_page: Page, storefront_url: str, sandbox: Sandbox
) -> None:
    addresses: list[str] = []
    buyer_page.on("request", lambda request: addresses.append(request.url))

    buy(buyer_page, storefront_url)
    click_set_up_account(buyer_page)
    expect(buyer_page).to_have_url(re.compile(r"^http://localhost:\d+/signup$"))
    expect(buyer_page.get_by_role("heading", level=1)).to_have_text("Register for Acme Insights")
    register(buyer_page)

    expect(buyer_page).to_have_url(re.compile(r"/welcome$"))
    expect(buyer_page.get_by_role("heading", level=1)).to_have_text("You are registered")
    expect(buyer_page.get_by_text("ada@example.com")).to_be_visible()
    sign_in = buyer_page.get_by_role("link", name="Sign in to Acme Insights")
    expect(sign_in).to_have_attribute("href", "https://app.acme.example/login")
    assert not [address for address in addresses if re.search("token|lovelace|ada(@|%40)", address, re.IGNORECASE)]


def test_a_buyer_who_comes_back_later_comes_to_the_welcome_page(buyer_page: Page, storefront_url: str) -> None:
    buy(buyer_page, storefront_url)
    click_set_up_account(buyer_page)
    register(buyer_page)

    buyer_page.goto(f"{storefront_url}/purchases")
    click_set_up_account(buyer_page)

    expect(buyer_page).to_have_url(re.compile(r"/welcome$"))


@on_both_databases
def test_the_back_button_and_a_second_submit_make_one_registration(buyer_page: Page, storefront_url: str) -> None:
    buy(buyer_page, storefront_url)
    click_set_up_account(buyer_page)
    register(buyer_page)

    buyer_page.go_back()
    buyer_page.reload()

    expect(buyer_page).to_have_url(re.compile(r"/welcome$"))


def test_errors_are_listed_and_lead_to_their_fields(buyer_page: Page, storefront_url: str) -> None:
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


def test_two_tabs_of_one_purchase_can_both_be_sent(buyer_page: Page, storefront_url: str) -> None:
    buy(buyer_page, storefront_url)
    click_set_up_account(buyer_page)
    other = buyer_page.context.new_page()
    other.goto(f"{storefront_url}/purchases")
    click_set_up_account(other)

    register(other)
    register(buyer_page)

    expect(other).to_have_url(re.compile(r"/welcome$"))
    expect(buyer_page).to_have_url(re.compile(r"/welcome$"))


def test_a_form_of_another_purchase_is_not_sent_for_this_one(buyer_page: Page, storefront_url: str) -> None:
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
def test_a_buyer_who_meets_an_outage_of_aws_registers_and_watches_it_being_linked(
    buyer_page: Page, storefront_url: str, sandbox: Sandbox
) -> None:
    buy(buyer_page, storefront_url)
    sandbox.marketplace.faults = Faults(aws_down=True)
    click_set_up_account(buyer_page)
    expect(buyer_page.get_by_text("AWS Marketplace is slow to respond")).to_be_visible()
    register(buyer_page)
    expect(buyer_page.get_by_role("heading", level=1)).to_have_text("We have your registration")

    sandbox.marketplace.faults = Faults()

    # Nobody presses anything: the worker asks AWS again, and the page looks again by itself.
    expect(buyer_page.get_by_role("heading", level=1)).to_have_text("You are registered", timeout=60_000)
    expect(buyer_page.get_by_text("ada@example.com")).to_be_visible()


def test_a_buyer_whose_token_died_in_an_outage_comes_back_and_types_nothing_again(
    buyer_page: Page, storefront_url: str, sandbox: Sandbox
) -> None:
    let_token_expire(buyer_page, sandbox)

    buyer_page.goto(f"{storefront_url}/purchases")
    click_set_up_account(buyer_page)
    expect(buyer_page.get_by_label("Full name")).to_have_value("Ada Lovelace")
    buyer_page.get_by_role("button", name="Register").click()

    expect(buyer_page.get_by_role("heading", level=1)).to_have_text("You are registered")


def test_a_buyer_who_does_not_hold_the_aws_sign_in_has_a_text_for_who_does(
    buyer_page: Page, storefront_url: str, sandbox: Sandbox
) -> None:
    buy(buyer_page, storefront_url)
    sandbox.marketplace.faults = Faults(expired=True)

    click_set_up_account(buyer_page)

    expect(buyer_page.get_by_role("blockquote")).to_contain_text("Choose Manage subscriptions, then Acme Insights")


def test_the_storefront_posts_what_aws_posts(buyer_page: Page, storefront_url: str) -> None:
    posted: list[str] = []
    buyer_page.on(
        "request", lambda request: posted.append(request.post_data or "") if request.method == "POST" else None
    )

    buy(buyer_page, storefront_url)
    click_set_up_account(buyer_page)

    assert re.fullmatch(rf"{factories.TOKEN_FIELD}=[A-Za-z0-9%]+", posted[-1])
    assert "%2B" in posted[-1]

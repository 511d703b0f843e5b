"""A buyer's way in a real browser, without JavaScript: storefront, landing, form, welcome."""

import re

from playwright.sync_api import Page, expect

from app.sandbox.server import Sandbox
from tests import factories


def buy(buyer: Page, storefront: str) -> None:
    buyer.goto(storefront)
    buyer.get_by_role("link", name="Acme Insights").first.click()
    buyer.get_by_role("button", name="Subscribe").click()


def set_up(buyer: Page) -> None:
    buyer.get_by_role("button", name="Set up your account").first.click()


def fill_in(buyer: Page) -> None:
    buyer.get_by_label("Company").fill("Juniper & Lark")
    buyer.get_by_label("Full name").fill("Ada Lovelace")
    buyer.get_by_label("Work email").fill("ada@example.com")


def register(buyer: Page) -> None:
    fill_in(buyer)
    buyer.get_by_role("button", name="Register").click()


def test_a_buyer_gets_from_the_storefront_to_the_welcome_page(buyer: Page, storefront: str, sandbox: Sandbox) -> None:
    addresses: list[str] = []
    buyer.on("request", lambda request: addresses.append(request.url))

    buy(buyer, storefront)
    set_up(buyer)
    expect(buyer).to_have_url(re.compile(r"^http://localhost:\d+/signup$"))
    expect(buyer.get_by_role("heading", level=1)).to_have_text("Register for Acme Insights")
    register(buyer)

    expect(buyer).to_have_url(re.compile(r"/welcome$"))
    expect(buyer.get_by_role("heading", level=1)).to_have_text("You are registered")
    expect(buyer.get_by_text("ada@example.com")).to_be_visible()
    sign_in = buyer.get_by_role("link", name="Sign in to Acme Insights")
    expect(sign_in).to_have_attribute("href", "https://app.acme.example/login")
    assert not [address for address in addresses if "token" in address or "ada" in address]


def test_a_buyer_who_comes_back_later_comes_to_the_welcome_page(buyer: Page, storefront: str) -> None:
    buy(buyer, storefront)
    set_up(buyer)
    register(buyer)

    buyer.goto(f"{storefront}/purchases")
    set_up(buyer)

    expect(buyer).to_have_url(re.compile(r"/welcome$"))


def test_the_back_button_and_a_second_submit_make_one_registration(buyer: Page, storefront: str) -> None:
    buy(buyer, storefront)
    set_up(buyer)
    register(buyer)

    buyer.go_back()
    buyer.reload()

    expect(buyer).to_have_url(re.compile(r"/welcome$"))


def test_errors_are_listed_and_lead_to_their_fields(buyer: Page, storefront: str) -> None:
    buy(buyer, storefront)
    set_up(buyer)
    buyer.get_by_label("Company").fill("Juniper & Lark")
    buyer.get_by_label("Work email").fill("not-an-email")
    buyer.get_by_role("button", name="Register").click()

    expect(buyer).to_have_title(re.compile("^Error: "))
    buyer.get_by_role("link", name="Enter your full name.").click()
    expect(buyer.get_by_label("Full name")).to_be_focused()
    expect(buyer.get_by_label("Company")).to_have_value("Juniper & Lark")
    expect(buyer.get_by_label("Work email")).to_have_value("not-an-email")


def test_two_tabs_of_one_purchase_can_both_be_sent(buyer: Page, storefront: str) -> None:
    buy(buyer, storefront)
    set_up(buyer)
    other = buyer.context.new_page()
    other.goto(f"{storefront}/purchases")
    set_up(other)

    register(other)
    register(buyer)

    expect(other).to_have_url(re.compile(r"/welcome$"))
    expect(buyer).to_have_url(re.compile(r"/welcome$"))


def test_a_form_of_another_purchase_is_not_sent_for_this_one(buyer: Page, storefront: str) -> None:
    buy(buyer, storefront)
    set_up(buyer)
    other = buyer.context.new_page()
    buy(other, storefront)
    set_up(other)

    register(buyer)

    expect(buyer).to_have_url(re.compile(r"/signup$"))
    expect(buyer.get_by_role("alert")).to_contain_text("another purchase")
    expect(buyer.get_by_label("Full name")).to_have_value("Ada Lovelace")
    buyer.get_by_role("button", name="Register").click()
    expect(buyer).to_have_url(re.compile(r"/welcome$"))


def test_a_buyer_who_meets_a_slow_spell_of_aws_gets_through_with_one_press(
    buyer: Page, storefront: str, sandbox: Sandbox
) -> None:
    buy(buyer, storefront)
    sandbox.world.faults = sandbox.world.faults.model_copy(update={"throttled": 3})

    set_up(buyer)
    expect(buyer.get_by_role("heading", level=1)).to_have_text("AWS Marketplace is very busy")
    buyer.get_by_role("button", name="Try again").click()

    expect(buyer).to_have_url(re.compile(r"/signup$"))


def test_the_storefront_posts_what_aws_posts(buyer: Page, storefront: str) -> None:
    posted: list[str] = []
    buyer.on("request", lambda request: posted.append(request.post_data or "") if request.method == "POST" else None)

    buy(buyer, storefront)
    set_up(buyer)

    assert re.fullmatch(rf"{factories.TOKEN}=[A-Za-z0-9%]+", posted[-1])
    assert "%2B" in posted[-1]

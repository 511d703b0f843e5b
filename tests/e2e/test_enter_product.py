"""The whole way in a real browser, without JavaScript: storefront, landing, form, wait, inside the product."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.config.products import Product
from sandbox.example.server import ExampleProduct
from sandbox.example.troubles import Troubles
from sandbox.server import Sandbox
from tests.e2e.test_journey import buy, click_set_up_account, fill_in, register
from tests.support import app_processes, factories, handoff_receiver
from tests.support.ports import free_port

INSIDE_MILLISECONDS = 20_000


@pytest.fixture(scope="module")
def product() -> Iterator[ExampleProduct]:
    sold = [Product(code=code, **factories.PRODUCT_FIELDS) for code in factories.PRODUCT_CODES]
    with ExampleProduct(sold, secrets=[handoff_receiver.SECRET], port=free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def app_url(
    running_sandbox: Sandbox, product: ExampleProduct, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The application whose product takes hand-offs, with a worker beside it."""
    database = tmp_path_factory.mktemp("way-in") / "foyer.db"
    database.write_bytes(sqlite_template.read_bytes())
    port = free_port()
    product.site_url = f"http://localhost:{port}"
    environment = {
        **factories.environment(f"sqlite:///{database}", running_sandbox.aws_url),
        **factories.handoff_environment(product.handoff_url),
        "PRODUCT_SIGN_IN_URL": product.sign_in_url,
        "SITE_URL": product.site_url,
    }
    with (
        app_processes.run_gunicorn(environment, port=port) as url,
        app_processes.run_worker(environment, subprocess.DEVNULL),
    ):
        yield url


@pytest.fixture(autouse=True)
def reset_product(product: ExampleProduct) -> None:
    product.reset()


def expect_inside(buyer: Page, product: ExampleProduct) -> None:
    expect(buyer).to_have_url(re.compile(rf"^{re.escape(product.url)}/t/[\w-]+$"), timeout=INSIDE_MILLISECONDS)
    expect(buyer.get_by_role("heading", level=1)).to_contain_text("Ada Lovelace")


def test_a_buyer_ends_inside_the_product_and_opens_it_again_from_the_welcome_page(
    buyer_page: Page, storefront_url: str, app_url: str, product: ExampleProduct
) -> None:
    addresses: list[str] = []
    buyer_page.on("request", lambda request: addresses.append(request.url))

    buy(buyer_page, storefront_url)
    click_set_up_account(buyer_page)
    register(buyer_page)

    expect_inside(buyer_page, product)
    assert not [address for address in addresses if re.search("lovelace|ada(@|%40)", address, re.IGNORECASE)]
    assert "foyer_assertion" not in buyer_page.url

    buyer_page.goto(f"{app_url}welcome")
    buyer_page.get_by_role("link", name="Open Acme Insights").click()

    expect_inside(buyer_page, product)


def test_a_buyer_ends_inside_a_product_that_was_down_for_the_first_tries(
    buyer_page: Page, storefront_url: str, product: ExampleProduct
) -> None:
    with product.offline():
        buy(buyer_page, storefront_url)
        click_set_up_account(buyer_page)
        register(buyer_page)
        expect(buyer_page.get_by_role("heading", level=1)).to_have_text("Setting up your account")
        with buyer_page.expect_navigation():
            pass

    expect_inside(buyer_page, product)


def test_an_account_that_is_not_known_is_said_to_be_and_another_can_be_chosen(
    buyer_page: Page, storefront_url: str, product: ExampleProduct
) -> None:
    buy(buyer_page, storefront_url)
    click_set_up_account(buyer_page)
    fill_in(buyer_page)
    buyer_page.get_by_label("Use an account I already have").check()
    buyer_page.get_by_label("Which account?").fill("nobody-knows-it")
    buyer_page.get_by_role("button", name="Register").click()
    expect(buyer_page.get_by_text("could not find the account “nobody-knows-it”")).to_be_visible(
        timeout=INSIDE_MILLISECONDS
    )

    buyer_page.get_by_role("link", name="Choose another account").click()
    buyer_page.get_by_label("Create a new account").check()
    buyer_page.get_by_role("button", name="Register").click()

    expect_inside(buyer_page, product)


def test_who_waits_for_long_is_told_what_happens_next(
    buyer_page: Page, storefront_url: str, product: ExampleProduct
) -> None:
    product.troubles = Troubles(gone=True)

    buy(buyer_page, storefront_url)
    click_set_up_account(buyer_page)
    register(buyer_page)

    expect(buyer_page.get_by_text("could not create your account automatically")).to_be_visible(
        timeout=INSIDE_MILLISECONDS
    )
    expect(buyer_page.get_by_text("one working day")).to_be_visible()

"""From a purchase into the product, in a browser without JavaScript: landing, form, waiting page, product."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from sandbox.example.server import ExampleProduct
from sandbox.example.troubles import Troubles
from sandbox.server import Sandbox
from tests.e2e.test_journey import buy, click_set_up_account, fill_in, register
from tests.support import app_processes, factories, handoff_receiver
from tests.support.ports import free_port

HANDOFF_TIMEOUT_MS = 60_000


@pytest.fixture(scope="module")
def product() -> Iterator[ExampleProduct]:
    with ExampleProduct(factories.products(), secrets=[handoff_receiver.SECRET], port=free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def app_url(
    running_sandbox: Sandbox, product: ExampleProduct, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of the application with a worker, whose product receives hand-offs."""
    database = tmp_path_factory.mktemp("enter-product") / "foyer.db"
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
    expect(buyer).to_have_url(re.compile(rf"^{re.escape(product.url)}/t/[\w-]+$"), timeout=HANDOFF_TIMEOUT_MS)
    expect(buyer.get_by_role("heading", level=1)).to_contain_text("Ada Lovelace")


def test_buyer_enters_the_product_and_reopens_it_from_the_welcome_page(
    buyer_page: Page, storefront_url: str, app_url: str, product: ExampleProduct
) -> None:
    urls: list[str] = []
    buyer_page.on("request", lambda request: urls.append(request.url))

    buy(buyer_page, storefront_url)
    click_set_up_account(buyer_page)
    register(buyer_page)

    expect_inside(buyer_page, product)
    assert not [url for url in urls if re.search("lovelace|ada(@|%40)", url, re.IGNORECASE)]
    assert "foyer_assertion" not in buyer_page.url

    buyer_page.goto(f"{app_url}welcome")
    buyer_page.get_by_role("link", name="Open Acme Insights").click()

    expect_inside(buyer_page, product)


def test_buyer_enters_a_product_that_was_down_at_first(
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


def test_buyer_with_an_unknown_account_can_choose_another(
    buyer_page: Page, storefront_url: str, product: ExampleProduct
) -> None:
    buy(buyer_page, storefront_url)
    click_set_up_account(buyer_page)
    fill_in(buyer_page)
    buyer_page.get_by_label("Use an account I already have").check()
    buyer_page.get_by_label("Which account?").fill("nobody-knows-it")
    buyer_page.get_by_role("button", name="Register").click()
    expect(buyer_page.get_by_text("could not find the account “nobody-knows-it”")).to_be_visible(
        timeout=HANDOFF_TIMEOUT_MS
    )

    buyer_page.get_by_role("link", name="Choose another account").click()
    buyer_page.get_by_label("Create a new account").check()
    buyer_page.get_by_role("button", name="Register").click()

    expect_inside(buyer_page, product)


def test_buyer_sees_what_happens_next_if_the_product_is_gone(
    buyer_page: Page, storefront_url: str, product: ExampleProduct
) -> None:
    product.troubles = Troubles(gone=True)

    buy(buyer_page, storefront_url)
    click_set_up_account(buyer_page)
    register(buyer_page)

    expect(buyer_page.get_by_text("could not create your account automatically")).to_be_visible(
        timeout=HANDOFF_TIMEOUT_MS
    )
    expect(buyer_page.get_by_text("one working day")).to_be_visible()

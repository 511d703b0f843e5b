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
from tests import factories, receiver
from tests.e2e import stage
from tests.e2e.test_journey import buy, fill_in, register, set_up
from tests.ports import free_port

INSIDE_MILLISECONDS = 20_000


@pytest.fixture(scope="module")
def product() -> Iterator[ExampleProduct]:
    sold = [Product(code=code, **factories.PRODUCT) for code in factories.CODES]
    with ExampleProduct(sold, secrets=[receiver.SECRET], port=free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def front_door(
    running_sandbox: Sandbox, product: ExampleProduct, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The application whose product takes hand-offs, with a worker beside it."""
    database = tmp_path_factory.mktemp("way-in") / "foyer.db"
    database.write_bytes(sqlite_template.read_bytes())
    port = free_port()
    product.site_url = f"http://localhost:{port}"
    environment = {
        **factories.environment(f"sqlite:///{database}", running_sandbox.aws_url),
        **factories.handing_off(product.handoff_url),
        "PRODUCT_SIGN_IN_URL": product.sign_in_url,
        "SITE_URL": product.site_url,
    }
    with stage.serving(environment, port=port) as url, stage.working(environment, subprocess.DEVNULL):
        yield url


@pytest.fixture(autouse=True)
def healthy(product: ExampleProduct) -> None:
    product.reset()


def expect_inside(buyer: Page, product: ExampleProduct) -> None:
    expect(buyer).to_have_url(re.compile(rf"^{re.escape(product.url)}/t/[\w-]+$"), timeout=INSIDE_MILLISECONDS)
    expect(buyer.get_by_role("heading", level=1)).to_contain_text("Ada Lovelace")


def test_a_buyer_ends_inside_the_product_and_opens_it_again_from_the_welcome_page(
    buyer: Page, storefront: str, front_door: str, product: ExampleProduct
) -> None:
    addresses: list[str] = []
    buyer.on("request", lambda request: addresses.append(request.url))

    buy(buyer, storefront)
    set_up(buyer)
    register(buyer)

    expect_inside(buyer, product)
    assert not [address for address in addresses if re.search("lovelace|ada(@|%40)", address, re.IGNORECASE)]
    assert "foyer_assertion" not in buyer.url

    buyer.goto(f"{front_door}welcome")
    buyer.get_by_role("link", name="Open Acme Insights").click()

    expect_inside(buyer, product)


def test_a_buyer_ends_inside_a_product_that_was_down_for_the_first_tries(
    buyer: Page, storefront: str, product: ExampleProduct
) -> None:
    with product.closed():
        buy(buyer, storefront)
        set_up(buyer)
        register(buyer)
        expect(buyer.get_by_role("heading", level=1)).to_have_text("Setting up your account")
        with buyer.expect_navigation():
            pass

    expect_inside(buyer, product)


def test_an_account_that_is_not_known_is_said_to_be_and_another_can_be_chosen(
    buyer: Page, storefront: str, product: ExampleProduct
) -> None:
    buy(buyer, storefront)
    set_up(buyer)
    fill_in(buyer)
    buyer.get_by_label("Use an account I already have").check()
    buyer.get_by_label("Which account?").fill("nobody-knows-it")
    buyer.get_by_role("button", name="Register").click()
    expect(buyer.get_by_text("knows no account by the name of “nobody-knows-it”")).to_be_visible(
        timeout=INSIDE_MILLISECONDS
    )

    buyer.get_by_role("link", name="Choose another account").click()
    buyer.get_by_label("Make a new account").check()
    buyer.get_by_role("button", name="Register").click()

    expect_inside(buyer, product)


def test_who_waits_for_long_is_told_what_happens_next(buyer: Page, storefront: str, product: ExampleProduct) -> None:
    product.troubles = Troubles(gone=True)

    buy(buyer, storefront)
    set_up(buyer)
    register(buyer)

    expect(buyer.get_by_text("could not make your account by itself")).to_be_visible(timeout=INSIDE_MILLISECONDS)
    expect(buyer.get_by_text("one working day")).to_be_visible()

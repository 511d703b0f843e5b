"""Takes the README's screenshots: `python -m tests.e2e.pictures [FOLDER [all]]`."""

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from sandbox import catalogue
from sandbox.example.server import ExampleProduct
from sandbox.server import Sandbox
from tests.conftest import migrate
from tests.e2e import chromium
from tests.e2e.test_journey import click_set_up_account, register
from tests.e2e.test_pages import DESK, PHONE, VISITS, Visit, signup, signup_filled_in
from tests.support import app_processes, factories, handoff_receiver
from tests.support.ports import free_port

README_PAGES = ("start", "signup_filled_in", "welcome", "product_page", "expired", "product")
VIEWPORT_SIZES: dict[str, ViewportSize] = {"desk": DESK, "phone": PHONE}


def product_page(page: Page, sandbox: Sandbox) -> None:
    """Register, and wait until the browser is inside the product."""
    signup(page, sandbox)
    register(page)
    page.get_by_role("heading", name="Ada Lovelace").wait_for()


def welcome_waiting(page: Page, sandbox: Sandbox) -> None:
    product_page(page, sandbox)
    page.goto(f"{sandbox.app_url}welcome")
    page.get_by_text("You are registered").wait_for()


def welcome(page: Page, sandbox: Sandbox) -> None:
    """Register for a contract, return, and wait until the page shows its entitlements."""
    page.goto(sandbox.storefront_url)
    page.get_by_role("link", name="Acme Ledger").first.click()
    page.get_by_role("button", name="Subscribe").click()
    click_set_up_account(page)
    register(page)
    page.get_by_role("heading", name="Ada Lovelace").wait_for()
    sandbox.marketplace.apply_action(sandbox.marketplace.purchases[0], "confirm")
    page.goto(f"{sandbox.app_url}welcome")
    page.get_by_role("row", name="seats").wait_for()


ALL_PAGES: list[Visit] = [*VISITS, signup_filled_in, product_page, welcome_waiting, welcome]


def save_screenshot(browser: Browser, sandbox: Sandbox, open_page: Visit, size: str, scheme: str, folder: Path) -> None:
    """Save a screenshot of one page."""
    context = browser.new_context(viewport=VIEWPORT_SIZES[size], color_scheme=scheme, device_scale_factor=1)  # type: ignore[arg-type]
    page = context.new_page()
    sandbox.reset()
    open_page(page, sandbox)
    page.screenshot(path=folder / f"{open_page.__name__}-{size}-{scheme}.png", full_page=True)
    context.close()


def _environment(folder: Path, sandbox: Sandbox, example: ExampleProduct) -> dict[str, str]:
    database_url = f"sqlite:///{folder}/foyer.db"
    migrate(database_url)
    catalogue.write_products_file(folder / "products.toml", example.url)
    environment = {**factories.environment(database_url, sandbox.aws_url), **factories.handoff_environment("")}
    del environment["PRODUCT_CODE"], environment["PRODUCT_HANDOFF_URL"]
    return environment | {
        "PRODUCTS_FILE": str(folder / "products.toml"),
        "EVENTS_QUEUE_URL": sandbox.queue_url,
        "SITE_URL": example.site_url,
    }


def save_screenshots(folder: Path, all_pages: bool) -> None:
    """Save the README's screenshots, or those of every page in both sizes and colour schemes."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = (
        [(size, scheme) for size in VIEWPORT_SIZES for scheme in ("light", "dark")]
        if all_pages
        else [("desk", "light")]
    )
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as app_folder,
        Sandbox() as sandbox,
        ExampleProduct(secrets=[handoff_receiver.SECRET], site_url=f"http://localhost:{port}") as example,
        sync_playwright() as playwright,
    ):
        environment = _environment(Path(app_folder), sandbox, example)
        browser = playwright.chromium.launch(**chromium.launch_options())  # type: ignore[arg-type]
        with (
            app_processes.run_gunicorn(environment, port=port) as url,
            app_processes.run_worker(environment, subprocess.DEVNULL),
        ):
            sandbox.app_url = url
            for visit in ALL_PAGES:
                if all_pages or visit.__name__ in README_PAGES:
                    for size, scheme in sizes:
                        save_screenshot(browser, sandbox, visit, size, scheme, folder)
        browser.close()


if __name__ == "__main__":
    save_screenshots(Path(*(sys.argv[1:2] or ["docs/pictures"])), sys.argv[2:] == ["all"])

"""Takes the README's pictures from the running pages: `python -m tests.e2e.pictures [FOLDER [all]]`."""

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from sandbox import catalogue
from sandbox.example.server import ExampleProduct
from sandbox.server import Sandbox
from tests import factories, receiver
from tests.conftest import migrate
from tests.e2e import chromium, stage
from tests.e2e.test_journey import register, set_up
from tests.e2e.test_pages import DESK, PHONE, VISITS, Visit, signup, signup_filled_in
from tests.ports import free_port

IN_README = ("start", "signup_filled_in", "welcome", "inside", "expired", "product")
SIZES: dict[str, ViewportSize] = {"desk": DESK, "phone": PHONE}


def inside(page: Page, sandbox: Sandbox) -> None:
    """Wait with a buyer until they are inside the product."""
    signup(page, sandbox)
    register(page)
    page.get_by_role("heading", name="Ada Lovelace").wait_for()


def welcome_waiting(page: Page, sandbox: Sandbox) -> None:
    inside(page, sandbox)
    page.goto(f"{sandbox.app_url}welcome")
    page.get_by_text("You are registered").wait_for()


def welcome(page: Page, sandbox: Sandbox) -> None:
    """Come back, as a contract's buyer, and wait until the page shows what the contract covers."""
    page.goto(sandbox.storefront_url)
    page.get_by_role("link", name="Acme Ledger").first.click()
    page.get_by_role("button", name="Subscribe").click()
    set_up(page)
    register(page)
    page.get_by_role("heading", name="Ada Lovelace").wait_for()
    sandbox.world.act(sandbox.world.purchases[0], "confirm")
    page.goto(f"{sandbox.app_url}welcome")
    page.get_by_role("row", name="seats").wait_for()


EVERY: list[Visit] = [*VISITS, signup_filled_in, inside, welcome_waiting, welcome]


def take(browser: Browser, sandbox: Sandbox, visit: Visit, size: str, scheme: str, folder: Path) -> None:
    """Keep a picture of one page."""
    context = browser.new_context(viewport=SIZES[size], color_scheme=scheme, device_scale_factor=1)  # type: ignore[arg-type]
    page = context.new_page()
    sandbox.reset()
    visit(page, sandbox)
    page.screenshot(path=folder / f"{visit.__name__}-{size}-{scheme}.png", full_page=True)
    context.close()


def _environment(place: Path, sandbox: Sandbox, example: ExampleProduct) -> dict[str, str]:
    database_url = f"sqlite:///{place}/foyer.db"
    migrate(database_url)
    catalogue.write(place / "products.toml", example.url)
    environment = {**factories.environment(database_url, sandbox.aws_url), **factories.handing_off("")}
    del environment["PRODUCT_CODE"], environment["PRODUCT_HANDOFF_URL"]
    return environment | {
        "PRODUCTS_FILE": str(place / "products.toml"),
        "EVENTS_QUEUE_URL": sandbox.queue_url,
        "SITE_URL": example.site_url,
    }


def main(folder: Path, every: bool) -> None:
    """Take the README's pictures, or every page in both sizes and schemes."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [(size, scheme) for size in SIZES for scheme in ("light", "dark")] if every else [("desk", "light")]
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as place,
        Sandbox() as sandbox,
        ExampleProduct(secrets=[receiver.SECRET], site_url=f"http://localhost:{port}") as example,
        sync_playwright() as playwright,
    ):
        environment = _environment(Path(place), sandbox, example)
        browser = playwright.chromium.launch(**chromium.launch_options())  # type: ignore[arg-type]
        with stage.serving(environment, port=port) as url, stage.working(environment, subprocess.DEVNULL):
            sandbox.app_url = url
            for visit in EVERY:
                if every or visit.__name__ in IN_README:
                    for size, scheme in sizes:
                        take(browser, sandbox, visit, size, scheme, folder)
        browser.close()


if __name__ == "__main__":
    main(Path(*(sys.argv[1:2] or ["docs/pictures"])), sys.argv[2:] == ["all"])

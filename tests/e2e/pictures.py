"""Takes the README's pictures: `python -m tests.e2e.pictures [FOLDER]`. Foyer's own pages are those of the gallery.

The machine needs fonts for the names of all languages, such as Debian's fonts-noto-cjk.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Page, sync_playwright

from sandbox import catalogue
from sandbox.example.server import ExampleProduct
from sandbox.server import Sandbox
from tests.conftest import migrate
from tests.e2e import chromium
from tests.e2e.test_journey import register
from tests.e2e.test_pages import DESK, product, signup
from tests.support import app_processes, factories, handoff_receiver
from tests.support.ports import free_port

GALLERY_STATES = {
    "signup": "Sign-up form: filled in",
    "welcome": "Welcome: active, contract",
    "start": "Before and after: start",
    "expired": "Errors: expired token, after a form, all is saved",
}


def save_gallery(page: Page, sandbox: Sandbox, folder: Path) -> None:
    """Save Foyer's own pages, of the first product for sale."""
    for name, state in GALLERY_STATES.items():
        page.goto(f"{sandbox.storefront_url}/gallery/frame?{urlencode({'state': state})}")
        page.screenshot(path=folder / f"{name}.png", full_page=True)


def save_journey(page: Page, sandbox: Sandbox, folder: Path) -> None:
    """Save where a buyer comes from, and where they arrive."""
    product(page, sandbox)
    page.screenshot(path=folder / "product.png", full_page=True)
    signup(page, sandbox)
    register(page)
    page.get_by_role("heading", name="Ada Lovelace").wait_for()
    page.screenshot(path=folder / "product_page.png", full_page=True)


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


def save_all(folder: Path) -> None:
    """Save all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as app_folder,
        Sandbox() as sandbox,
        ExampleProduct(secrets=[handoff_receiver.SECRET], site_url=f"http://localhost:{port}") as example,
        sync_playwright() as playwright,
    ):
        environment = _environment(Path(app_folder), sandbox, example)
        browser = playwright.chromium.launch(**chromium.launch_options())  # type: ignore[arg-type]
        page = browser.new_page(viewport=DESK, color_scheme="light")
        # The gallery shows the products of its own process.
        os.environ.update(environment)
        save_gallery(page, sandbox, folder)
        with (
            app_processes.run_gunicorn(environment, port=port) as url,
            app_processes.run_worker(environment, subprocess.DEVNULL),
        ):
            sandbox.app_url = url
            save_journey(page, sandbox, folder)
        browser.close()


if __name__ == "__main__":
    save_all(Path(*(sys.argv[1:] or ["docs/pictures"])))

"""Takes the README's pictures from the running pages: `python -m tests.e2e.pictures [FOLDER [all]]`."""

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, ViewportSize, sync_playwright

from app.sandbox.server import Sandbox
from tests import factories
from tests.conftest import migrate
from tests.e2e import chromium, stage
from tests.e2e.test_pages import DESK, PHONE, VISITS, Visit

IN_README = ("start", "signup_filled_in", "welcome", "expired", "product")
SIZES: dict[str, ViewportSize] = {"desk": DESK, "phone": PHONE}


def take(browser: Browser, sandbox: Sandbox, visit: Visit, size: str, scheme: str, folder: Path) -> None:
    """Keep a picture of one page."""
    context = browser.new_context(viewport=SIZES[size], color_scheme=scheme, device_scale_factor=1)  # type: ignore[arg-type]
    page = context.new_page()
    sandbox.reset()
    visit(page, sandbox)
    page.screenshot(path=folder / f"{visit.__name__}-{size}-{scheme}.png", full_page=True)
    context.close()


def main(folder: Path, every: bool) -> None:
    """Take the README's pictures, or every page in both sizes and schemes."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [(size, scheme) for size in SIZES for scheme in ("light", "dark")] if every else [("desk", "light")]
    with tempfile.TemporaryDirectory() as place, Sandbox() as sandbox, sync_playwright() as playwright:
        database_url = f"sqlite:///{place}/foyer.db"
        migrate(database_url)
        environment = factories.environment(database_url, sandbox.aws_url)
        del environment["PRODUCT_CODE"]
        environment["PRODUCTS_FILE"] = "app/sandbox/products.toml"
        browser = playwright.chromium.launch(**chromium.launch_options())  # type: ignore[arg-type]
        with stage.serving(environment) as url, stage.working(environment, subprocess.DEVNULL):
            sandbox.app_url = url
            for visit in VISITS:
                if every or visit.__name__ in IN_README:
                    for size, scheme in sizes:
                        take(browser, sandbox, visit, size, scheme, folder)
        browser.close()


if __name__ == "__main__":
    main(Path(*(sys.argv[1:2] or ["docs/pictures"])), sys.argv[2:] == ["all"])

"""Firefox and WebKitGTK, from the sandbox's storefront to the welcome page."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from tests.real.browsers import BROWSERS, Browser
from tests.support import app_processes, factories

SUBSCRIBE, SET_UP = "//button[normalize-space()='Subscribe']", "//button[normalize-space()='Set up your account']"
REGISTER = "//button[starts-with(normalize-space(), 'Register')]"


@pytest.fixture
def storefront_url(sandbox: Sandbox, sqlite_template: Path, tmp_path: Path) -> Iterator[str]:
    """The URL of a storefront that leads to the application under gunicorn."""
    database = tmp_path / "foyer.db"
    database.write_bytes(sqlite_template.read_bytes())
    with app_processes.run_gunicorn(factories.environment(f"sqlite:///{database}", sandbox.aws_url)) as url:
        sandbox.app_url = url
        yield sandbox.storefront_url


@pytest.fixture(params=BROWSERS)
def browser(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Browser]:
    folder = tmp_path / "browser"
    folder.mkdir()
    with BROWSERS[request.param](folder) as browser:
        yield browser


def heading(text: str) -> str:
    """Return the XPath of a page's heading."""
    return f"//h1[normalize-space()='{text}']"


def test_buyer_corrects_an_error_and_registers(browser: Browser, storefront_url: str) -> None:
    browser.visit(storefront_url)
    browser.click("//a[contains(., 'Acme Insights')]")
    browser.click(SUBSCRIBE)
    browser.click(SET_UP)
    browser.text(heading("Register for Acme Insights"))
    browser.fill_in("Company", "Juniper & Lark")
    browser.fill_in("Work email", "not-an-email")
    browser.click(REGISTER)

    browser.click("//a[normalize-space()='Enter your full name.']")
    assert browser.title.startswith("Error: ")
    assert [browser.value(label) for label in ("Company", "Work email")] == ["Juniper & Lark", "not-an-email"]
    browser.fill_in("Full name", "Ada Lovelace")
    browser.fill_in("Work email", "ada@example.com")
    browser.click(REGISTER)

    browser.text(heading("You are registered"))
    assert browser.url.endswith("/welcome")
    assert "ada@example.com" in browser.text("//main")

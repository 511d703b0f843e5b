"""Firefox and WebKitGTK, from the sandbox's storefront to the welcome page."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from tests.real.browsers import BROWSERS, Browser
from tests.support import app_processes, asked_questions, factories, pictures
from tests.support.asked_questions import QUESTIONS

SUBSCRIBE, SET_UP = "//button[normalize-space()='Subscribe']", "//button[normalize-space()='Set up your account']"
REGISTER = "//button[starts-with(normalize-space(), 'Register')]"


@pytest.fixture
def environment(sandbox: Sandbox, sqlite_template: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of an application with a database of its own."""
    database = tmp_path / "foyer.db"
    database.write_bytes(sqlite_template.read_bytes())
    return factories.environment(f"sqlite:///{database}", sandbox.aws_url)


@pytest.fixture
def storefront_url(sandbox: Sandbox, environment: dict[str, str]) -> Iterator[str]:
    """The URL of a storefront that leads to the application under gunicorn."""
    with app_processes.run_gunicorn(environment) as url:
        sandbox.app_url = url
        yield sandbox.storefront_url


@pytest.fixture
def asking_storefront_url(sandbox: Sandbox, environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """The same, of a product with a brand and a question of each type."""
    (tmp_path / "logo.svg").write_bytes(pictures.LOGO_SVG)
    file = asked_questions.write_file(tmp_path, QUESTIONS, brand={"logo": "logo.svg", "accent": "#b3261e"})
    del environment["PRODUCT_CODE"]
    with app_processes.run_gunicorn(environment | {"PRODUCTS_FILE": str(file)}) as url:
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


def test_buyer_switches_the_language_and_answers_the_products_questions(
    browser: Browser, asking_storefront_url: str
) -> None:
    browser.visit(asking_storefront_url)
    browser.click("//a[contains(., 'Acme Insights')]")
    browser.click(SUBSCRIBE)
    browser.click(SET_UP)
    browser.fill_in("Company", "Juniper & Lark")
    browser.click("//button[normalize-space()='Deutsch']")
    browser.text(heading("Für Acme Insights registrieren"))
    assert browser.value("Firma") == "Juniper & Lark"
    browser.fill_in("Vor- und Nachname", "Ada Lovelace")
    browser.fill_in("Geschäftliche E-Mail-Adresse", "ada@example.com")
    browser.click("//label[normalize-space()='Slack']")
    browser.fill_in("Seats", "12,5")
    browser.click("//select[@name='q_land']/option[normalize-space()='Österreich']")
    browser.click("//button[starts-with(normalize-space(), 'Registrieren')]")

    browser.click("//a[normalize-space()='Wählen Sie bei „Plan“ eine Antwort aus.']")
    browser.click("//label[normalize-space()='Large']")
    browser.click("//button[starts-with(normalize-space(), 'Registrieren')]")

    browser.text(heading("Sie sind registriert"))
    registered = browser.text("//main")
    assert [answer for answer in ("Large", "Slack", "12,5", "Österreich") if answer not in registered] == []

"""A browser, and the application under gunicorn for it to visit."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from app.sandbox.server import Sandbox
from tests import factories
from tests.e2e import chromium, stage


@pytest.fixture(scope="session")
def chrome() -> Iterator[Browser]:
    """The installed Chromium; without one these tests are skipped, and in CI they fail."""
    if chromium.path() is None:
        (pytest.fail if "CI" in os.environ else pytest.skip)(chromium.MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**chromium.launch_options())  # type: ignore[arg-type]
        yield browser
        browser.close()


@pytest.fixture(scope="session", params=["sqlite"])
def front_door(
    request: pytest.FixtureRequest, running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The application's address, under gunicorn with a worker beside it; on PostgreSQL where a test asks for that."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("served") / "foyer.db"
        path.write_bytes(request.getfixturevalue("sqlite_template").read_bytes())
        database_url = f"sqlite:///{path}"
    else:
        database_url = request.getfixturevalue("postgresql_database")
    environment = factories.environment(database_url, running_sandbox.aws_url)
    with stage.serving(environment) as url, stage.working(environment):
        yield url


@pytest.fixture
def marketplace(sandbox: Sandbox, front_door: str) -> Sandbox:
    """The pretend AWS Marketplace, with the application behind its products."""
    sandbox.app_url = front_door
    return sandbox


@pytest.fixture
def storefront(marketplace: Sandbox) -> str:
    """The pretend AWS Marketplace's address."""
    return marketplace.storefront_url


@pytest.fixture
def buyer(chrome: Browser) -> Iterator[Page]:
    """A buyer's page, in a browser that runs no JavaScript."""
    with chrome.new_context(java_script_enabled=False) as context:
        yield context.new_page()


@pytest.fixture
def auditor(chrome: Browser) -> Iterator[Page]:
    """A page on which axe can run."""
    with chrome.new_context() as context:
        yield context.new_page()

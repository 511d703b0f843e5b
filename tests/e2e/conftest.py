"""The browser, and the application under gunicorn that it visits."""

import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from sandbox.server import Sandbox
from tests.conftest import migrated_database
from tests.e2e import chromium
from tests.support import app_processes, factories
from tests.support.unavailable import do_without

# Playwright's five seconds are too few on a busy machine.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def chromium_browser() -> Iterator[Browser]:
    """The installed Chromium; without one the tests are skipped, in CI they fail."""
    if chromium.executable_path() is None:
        do_without(chromium.MISSING_MESSAGE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**chromium.launch_options())  # type: ignore[arg-type]
        yield browser
        browser.close()


@pytest.fixture(scope="session", params=["sqlite"])
def e2e_database_url(
    request: pytest.FixtureRequest, xdist_worker_id: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of a database that no other test uses: the worker would change their rows."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("served") / "foyer.db"
        path.write_bytes(request.getfixturevalue("sqlite_template").read_bytes())
        yield f"sqlite:///{path}"
        return
    with migrated_database(request.getfixturevalue("postgresql_server"), f"served_{xdist_worker_id}") as url:
        yield url


@pytest.fixture(scope="session")
def app_url(running_sandbox: Sandbox, e2e_database_url: str) -> Iterator[str]:
    """The URL of the application under gunicorn with a worker, on SQLite unless a test asks for PostgreSQL."""
    environment = factories.environment(e2e_database_url, running_sandbox.aws_url)
    with app_processes.run_gunicorn(environment) as url, app_processes.run_worker(environment, subprocess.DEVNULL):
        yield url


@pytest.fixture
def marketplace(sandbox: Sandbox, app_url: str) -> Sandbox:
    """The sandbox, whose storefront leads to the application."""
    sandbox.app_url = app_url
    return sandbox


@pytest.fixture
def storefront_url(marketplace: Sandbox) -> str:
    """The URL of the sandbox's storefront."""
    return marketplace.storefront_url


@pytest.fixture
def buyer_page(chromium_browser: Browser) -> Iterator[Page]:
    """A buyer's page in a browser without JavaScript."""
    with chromium_browser.new_context(java_script_enabled=False) as context:
        yield context.new_page()


@pytest.fixture
def axe_page(chromium_browser: Browser) -> Iterator[Page]:
    """A page with JavaScript, which axe needs."""
    with chromium_browser.new_context() as context:
        yield context.new_page()

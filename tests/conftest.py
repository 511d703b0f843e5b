"""Fixtures for all tests (the sandbox over real HTTP, both databases, a browser), and how tests run in parallel."""

import gc
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from app import create_app
from sandbox.server import Sandbox
from tests.support import factories, handoff_receiver, library_caches, temporary_files
from tests.support.databases import POSTGRESQL, SQLITE
from tests.support.events_queue import EventsQueue
from tests.support.handoff_receiver import HandoffReceiver
from tests.support.new_buyer import NewBuyer
from tests.support.page_checks import CheckedClient
from tests.support.postgresql_server import PostgresqlServer, execute_statements
from tests.support.stored_rows import tables_to_empty

# They share a browser, a server, or the image that they build.
SINGLE_PROCESS_PATHS = ("tests/e2e/", "tests/hostile/", "tests/real/test_image.py")
# The longest first, so that no process is left with them at the end; and the bench before the browser: once a browser
# has run in a process, the bench cannot.
FIRST_FOLDERS = ("bench", "e2e", "deploy", "worker")

# All examples of a test share the application and its database: the rows of earlier examples must not matter either.
SUPPRESSED_HEALTH_CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
settings.register_profile(
    "short", max_examples=25, derandomize=True, deadline=None, suppress_health_check=SUPPRESSED_HEALTH_CHECKS
)
settings.register_profile("fuzz", max_examples=1000, deadline=None, suppress_health_check=SUPPRESSED_HEALTH_CHECKS)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))
factories.forget_proxies()
library_caches.share()
temporary_files.keep_in_memory()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run twice as many processes as there are cores: each waits for half of its time."""
    return 2 * len(os.sched_getaffinity(0))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders first that take longest, and leave the others in the order of their names."""
    items.sort(key=lambda item: [folder_of(item.nodeid) != folder for folder in FIRST_FOLDERS])


class FolderScheduler(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives a free process the next test; a folder whose fixtures start slowly stays in one process."""

    def _split_scope(self, nodeid: str) -> str:
        return next((path for path in SINGLE_PROCESS_PATHS if nodeid.startswith(path)), nodeid)


def folder_of(nodeid: str) -> str:
    """Return the name of the test's folder in `tests`, or of its file there."""
    return nodeid.split("/", 2)[1]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FolderScheduler:
    """Schedule in the order of the collection, and not by size."""
    config.option.loadscopereorder = False
    return FolderScheduler(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while modules load; exclude them from later collections, and collect less often."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000)
        gc.enable()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server: TEST_DATABASE_URL, or one started for these tests."""
    if "TEST_DATABASE_URL" in os.environ:
        yield os.environ["TEST_DATABASE_URL"]
        return
    with TemporaryDirectory(prefix="pg") as folder, PostgresqlServer(Path(folder)) as server:
        yield server.url


@pytest.fixture(scope="session")
def postgresql_database(postgresql_server: str, xdist_worker_id: str) -> Iterator[str]:
    """The URL of a migrated PostgreSQL database that only this test process uses."""
    with migrated_database(postgresql_server, f"foyer_{xdist_worker_id}") as url:
        yield url


@pytest.fixture(scope="session")
def empty_postgresql(postgresql_database: str) -> Iterator[Callable[[], None]]:
    """A function that empties that database, faster than TRUNCATE, which creates a file per table and index."""
    deletions = "; ".join(f"DELETE FROM {table.name}" for table in tables_to_empty())  # noqa: S608
    # Some tests close all connections of the server, and a busy machine may exceed the limits of the role.
    limits = {"options": "-c statement_timeout=60s -c lock_timeout=60s"}
    url = factories.sqlalchemy_url(postgresql_database)
    engine = create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True, connect_args=limits)

    def delete_all_rows() -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql(deletions)

    yield delete_all_rows
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file; each test copies it, which is faster than migrating."""
    path = tmp_path_factory.mktemp("template") / "foyer.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def xdist_worker_id(request: pytest.FixtureRequest) -> str:
    """The name of this test process, unique among the parallel ones."""
    return str(getattr(request.config, "workerinput", {}).get("workerid", "only"))


@pytest.fixture(params=[SQLITE, POSTGRESQL])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty, migrated database; the test runs once on SQLite and once on PostgreSQL."""
    if request.param == SQLITE:
        template: Path = request.getfixturevalue("sqlite_template")
        (tmp_path / "foyer.db").write_bytes(template.read_bytes())
        return f"sqlite:///{tmp_path / 'foyer.db'}"
    url: str = request.getfixturevalue("postgresql_database")
    request.getfixturevalue("empty_postgresql")()
    return url


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    with Sandbox(factories.products()) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    """The sandbox's AWS Marketplace, without purchases and faults."""
    running_sandbox.reset()
    return running_sandbox


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, database_url: str, sandbox: Sandbox) -> pytest.MonkeyPatch:
    """The environment of a seller of one product, with this test's database and the sandbox as AWS."""
    factories.clear_environment(monkeypatch)
    for name, value in factories.environment(database_url, sandbox.aws_url).items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def events_queue(sandbox: Sandbox, environment: pytest.MonkeyPatch) -> Iterator[EventsQueue]:
    """The sandbox's queue of events, which the application reads as well."""
    created = EventsQueue(sandbox)
    environment.setenv("EVENTS_QUEUE_URL", created.url)
    yield created
    created.close()


@pytest.fixture
def app(environment: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application in the seller's environment."""
    with factories.open_app(create_app()) as app:
        yield app


@pytest.fixture
def product() -> Iterator[HandoffReceiver]:
    """A product that receives hand-offs and answers as the test chooses."""
    with handoff_receiver.serve() as running:
        yield running


@pytest.fixture
def new_buyer(
    environment: pytest.MonkeyPatch, request: pytest.FixtureRequest, sandbox: Sandbox, product: HandoffReceiver
) -> NewBuyer:
    """A buyer of a product that receives hand-offs."""
    factories.enable_handoffs(environment, product.url)
    # Created only now: the application reads its environment once.
    client: FlaskClient = request.getfixturevalue("client")
    return NewBuyer(client, sandbox, product)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A test client that keeps cookies and checks every page it receives."""
    app.test_client_class = CheckedClient
    return app.test_client()


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


@pytest.fixture
def own_database_url(database_url: str, request: pytest.FixtureRequest, xdist_worker_id: str) -> Iterator[str]:
    """The URL of a migrated database that only this test uses; the test runs once on SQLite, once on PostgreSQL."""
    if database_url.startswith(SQLITE):
        yield database_url
        return
    with migrated_database(request.getfixturevalue("postgresql_server"), f"own_{xdist_worker_id}") as url:
        yield url


@contextmanager
def migrated_database(server: str, name: str) -> Iterator[str]:
    """Create a migrated database on the PostgreSQL server, yield its URL, and drop it."""
    execute_statements(server, f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
    url = factories.replace_database_name(server, name)
    migrate(url)
    yield url
    execute_statements(server, f"DROP DATABASE {name}")


def migrate(url: str) -> None:
    """Migrate the database to the newest revision."""
    result = run_db_upgrade(url)
    assert result.exit_code == 0, result.output


def run_db_upgrade(url: str) -> Result:
    """Run `foyer db upgrade` on the database."""
    with factories.open_app(create_app(factories.settings(database_url=url))) as app:
        return app.test_cli_runner().invoke(args=["db", "upgrade"])

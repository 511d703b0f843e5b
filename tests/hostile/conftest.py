"""The application under gunicorn with a timeout of one second."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from tests.support import app_processes, factories

REQUEST_TIMEOUT_SECONDS = 1


@dataclass(frozen=True)
class RunningServer:
    """The URL of a running server, and its log file."""

    url: str
    log: Path


@pytest.fixture(scope="session")
def short_timeout_server(
    running_sandbox: Sandbox, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """The application under gunicorn as in production, except that a request must arrive within one second."""
    folder = tmp_path_factory.mktemp("short-timeout")
    (folder / "foyer.db").write_bytes(sqlite_template.read_bytes())
    environment = factories.environment(f"sqlite:///{folder / 'foyer.db'}", running_sandbox.aws_url)
    options = f"--graceful-timeout {REQUEST_TIMEOUT_SECONDS} --capture-output --log-file {folder / 'log'}"
    with app_processes.run_gunicorn({**environment, "GUNICORN_CMD_ARGS": options, "PYTHONUNBUFFERED": "1"}) as url:
        yield RunningServer(url, folder / "log")


@pytest.fixture
def checked_server(short_timeout_server: RunningServer, sandbox: Sandbox) -> Iterator[RunningServer]:
    """That server with an empty log and a sandbox without faults; fails the test on a traceback or a status 500."""
    short_timeout_server.log.write_text("")
    yield short_timeout_server
    assert "Traceback" not in short_timeout_server.log.read_text()
    assert '"status": 500' not in short_timeout_server.log.read_text()

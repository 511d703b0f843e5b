"""A server with little patience."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from tests import factories
from tests.e2e import stage

SECONDS_TO_SEND = 1


@dataclass(frozen=True)
class Door:
    """A server: the URL it answers at, and the file it logs to."""

    url: str
    log: Path


@pytest.fixture(scope="session")
def impatient(
    running_sandbox: Sandbox, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """The application under gunicorn as in production, but that a request has to arrive within a second."""
    folder = tmp_path_factory.mktemp("impatient")
    (folder / "foyer.db").write_bytes(sqlite_template.read_bytes())
    environment = factories.environment(f"sqlite:///{folder / 'foyer.db'}", running_sandbox.aws_url)
    options = f"--graceful-timeout {SECONDS_TO_SEND} --capture-output --log-file {folder / 'log'}"
    with stage.serving({**environment, "GUNICORN_CMD_ARGS": options, "PYTHONUNBUFFERED": "1"}) as url:
        yield Door(url, folder / "log")


@pytest.fixture
def door(impatient: Door, sandbox: Sandbox) -> Iterator[Door]:
    """That server, with no purchase and no fault at AWS and an empty log; it must never be at fault itself."""
    impatient.log.write_text("")
    yield impatient
    assert "Traceback" not in impatient.log.read_text()
    assert '"status": 500' not in impatient.log.read_text()

"""Runs Foyer as it is deployed, the bare view, and the fake AWS, each on its own port."""

import os
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.config.settings import THREADS
from tests.bench import load_clients
from tests.bench.fake_aws import PRODUCT_CODE
from tests.bench.filled_databases import StoredDatabase
from tests.bench.revisions import Revision
from tests.support import handoff_receiver, processes
from tests.support.factories import UNREACHABLE_URL

WORKERS = 2
GUNICORN_COMMAND = ["-m", "gunicorn", "--bind"]
# gunicorn.conf.py imports the app, so the bare view gets the same settings as options.
BASELINE_OPTIONS = [
    *("--workers", str(WORKERS), "--worker-class", "gthread", "--threads", str(THREADS), "--preload"),
    *("--keep-alive", "75", "--no-control-socket", "--config", os.devnull),
]
BASELINE_APP, STORING_APP = "tests.bench.baseline_app:create_app()", "tests.bench.storing_app:app"
READY_SECONDS = 30
# Hand-offs and mails are stored with each registration. A web server sends none, a worker sends them to these.
HANDOFFS_AND_MAIL = {
    "PRODUCT_HANDOFF_URL": UNREACHABLE_URL,
    "HANDOFF_SECRET": handoff_receiver.SECRET,
    "HANDOFF_ALLOW_PRIVATE": "true",
    "SITE_URL": "https://start.acme.example",
    "MAIL_FROM": "start@acme.example",
}


@dataclass(frozen=True)
class BenchServer:
    """A running server: its port, gunicorn's process id, and the time and CPU time of its start."""

    port: int
    pid: int
    start_seconds: float
    start_cpu_seconds: float

    def cpu_seconds(self) -> float:
        """Return the CPU time of gunicorn and its workers so far."""
        return processes.cpu_seconds(self.pid)

    @property
    def worker_pids(self) -> list[int]:
        return processes.process_tree(self.pid)[1:]

    def worker_mb(self, kind: str) -> float:
        """Return the median memory of a worker, in MB of `Rss` or `Pss`."""
        return statistics.median(processes.memory_mb(pid, kind) for pid in self.worker_pids)


ServerContext = AbstractContextManager[BenchServer]


@dataclass(frozen=True)
class ServerFolder:
    """Where the servers write their files, and the port of the fake AWS that they call."""

    path: Path
    aws_port: int

    @property
    def environment(self) -> dict[str, str]:
        """The environment of all processes: the fake AWS, and none of this machine's settings."""
        return {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(self.path),
            "MALLOC_ARENA_MAX": "2",  # as in the image
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.aws_port}",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "SECRET_KEY": "for-the-bench-only-0123456789abcdef",
            "PRODUCT_CODE": PRODUCT_CODE,
            "PRODUCT_NAME": "Acme Insights",
            "PRODUCT_SIGN_IN_URL": "https://app.acme.example/login",
            "SUPPORT_EMAIL": "help@acme.example",
            # Each buyer has an address: Foyer limits how many landings of one may wait for AWS.
            "TRUSTED_PROXIES": "1",
        }

    def serve_foyer(
        self, database: StoredDatabase, settings: dict[str, str] | None = None, options: tuple[str, ...] = ()
    ) -> ServerContext:
        """Run the database's revision with its gunicorn.conf.py as it is; yield it once it is healthy."""
        variables = {**self.environment, "DATABASE_URL": database.url, **(settings or {})}
        return _serve_gunicorn(database.revision, options, variables, self.path / "foyer.log")

    def serve_baseline(self, revision: Revision, app: str = BASELINE_APP) -> ServerContext:
        """Run the bare view with the Python of the working tree; yield it once it is healthy."""
        variables = {**self.environment, "STORING_APP_DATABASE": str(self.path / "stored-by-bare-view.db")}
        return _serve_gunicorn(revision, [*BASELINE_OPTIONS, app], variables, self.path / "bare.log")


@contextmanager
def serve_fake_aws(folder: Path, program: str = "tests.bench.fake_aws") -> Iterator[tuple[int, int]]:
    """Run the fake AWS, or another program that prints its port; yield its process id and port."""
    with processes.run_python(["-m", program], {"PATH": os.environ["PATH"]}, folder / "aws.log") as process:
        assert process.stdout
        yield process.pid, int(process.stdout.readline())


@contextmanager
def _serve_gunicorn(
    revision: Revision, options: tuple[str, ...] | list[str], variables: dict[str, str], log: Path
) -> Iterator[BenchServer]:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        descriptor, port = listener.fileno(), listener.getsockname()[1]
        start = time.perf_counter()
        command = [*GUNICORN_COMMAND, f"fd://{descriptor}", *options]
        with processes.run_python(
            command, variables, log, descriptor, python=revision.python, folder=revision.root
        ) as process:
            _wait_until_healthy(port, log)
            yield BenchServer(port, process.pid, time.perf_counter() - start, processes.cpu_seconds(process.pid))


def _wait_until_healthy(port: int, log: Path) -> None:
    """Send one request: the socket listens already, so the response comes as soon as a worker is ready."""
    try:
        with socket.create_connection(("127.0.0.1", port), READY_SECONDS) as connection:
            connection.sendall(load_clients.HEALTH_REQUEST)
            response = connection.recv(1024)
    except OSError:
        response = b""
    if b" 200 " not in response:
        raise RuntimeError(f"the server is not healthy; the end of its log:\n{log.read_text(errors='replace')[-2000:]}")

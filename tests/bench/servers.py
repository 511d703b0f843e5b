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
from tests.support import processes

WORKERS = 2
GUNICORN_COMMAND = ["-m", "gunicorn", "--bind"]
# gunicorn.conf.py imports the app, so the bare view gets the same settings as options.
BASELINE_OPTIONS = [
    *("--workers", str(WORKERS), "--worker-class", "gthread", "--threads", str(THREADS), "--preload"),
    *("--keep-alive", "75", "--no-control-socket", "--config", os.devnull, "tests.bench.baseline_app:app"),
]
READY_SECONDS = 30


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

    def worker_mb(self, kind: str) -> float:
        """Return the median memory of a worker, in MB of `Rss` or `Pss`."""
        workers = processes.process_tree(self.pid)[1:]
        return statistics.median(processes.memory_mb(pid, kind) for pid in workers)


def environment(folder: Path, aws_port: int, database: Path) -> dict[str, str]:
    """Return the environment of both servers: the fake AWS, and none of this machine's settings."""
    return {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(folder),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws_port}",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SECRET_KEY": "for-the-bench-only-0123456789abcdef",
        "DATABASE_URL": f"sqlite:///{database}",
        "PRODUCT_CODE": PRODUCT_CODE,
        "PRODUCT_NAME": "Acme Insights",
        "PRODUCT_SIGN_IN_URL": "https://app.acme.example/login",
        "SUPPORT_EMAIL": "help@acme.example",
        # Each buyer has an address: Foyer limits how many landings of one may wait for AWS.
        "TRUSTED_PROXIES": "1",
    }


ServerContext = AbstractContextManager[BenchServer]


def serve_foyer(folder: Path, aws_port: int, database: Path) -> ServerContext:
    """Run Foyer with gunicorn.conf.py as it is; yield it once it is healthy."""
    return _serve_gunicorn([], environment(folder, aws_port, database), folder / "foyer.log")


def serve_baseline(folder: Path, aws_port: int) -> ServerContext:
    """Run the bare view; yield it once it is healthy."""
    return _serve_gunicorn(BASELINE_OPTIONS, environment(folder, aws_port, folder / "none"), folder / "bare.log")


@contextmanager
def serve_fake_aws(folder: Path) -> Iterator[tuple[int, int]]:
    """Run the fake AWS; yield its process id and port."""
    with processes.run_python(
        ["-m", "tests.bench.fake_aws"], {"PATH": os.environ["PATH"]}, folder / "aws.log"
    ) as process:
        assert process.stdout
        yield process.pid, int(process.stdout.readline())


@contextmanager
def _serve_gunicorn(arguments: list[str], variables: dict[str, str], log: Path) -> Iterator[BenchServer]:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        descriptor, port = listener.fileno(), listener.getsockname()[1]
        start = time.perf_counter()
        command = [*GUNICORN_COMMAND, f"fd://{descriptor}", *arguments]
        with processes.run_python(command, variables, log, descriptor) as process:
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

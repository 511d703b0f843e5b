"""The two sides: Foyer as it is deployed, and the bare view, each under gunicorn on its own port."""

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
# gunicorn.conf.py imports the app: to the bare view the same settings are given by hand.
FOYER_OPTIONS = [
    *("--workers", str(WORKERS), "--worker-class", "gthread", "--threads", str(THREADS), "--preload"),
    *("--keep-alive", "75", "--no-control-socket", "--config", os.devnull),
]
BASELINE_OPTIONS = [*FOYER_OPTIONS, "tests.bench.baseline_app:app"]
READY_SECONDS = 30


@dataclass(frozen=True)
class BenchServer:
    """A running server: its port, gunicorn's process, and what it took to start."""

    port: int
    pid: int
    start_seconds: float
    start_cpu_seconds: float

    def cpu_seconds(self) -> float:
        """Return the CPU time that gunicorn and its workers have taken so far."""
        return processes.cpu_seconds(self.pid)

    def worker_mb(self, kind: str) -> float:
        """Return the median memory of a worker, in MB of `Rss` or `Pss`."""
        workers = processes.process_tree(self.pid)[1:]
        return statistics.median(processes.memory_mb(pid, kind) for pid in workers)


def environment(folder: Path, aws_port: int, database: Path) -> dict[str, str]:
    """Return the environment both sides run in: the fake AWS, and nothing of this machine's own settings."""
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
    }


ServerContext = AbstractContextManager[BenchServer]


def serve_foyer(folder: Path, aws_port: int, database: Path) -> ServerContext:
    """Serve Foyer, with gunicorn.conf.py as it is, from the first healthy answer on."""
    return _serve_gunicorn([], environment(folder, aws_port, database), folder / "foyer.log")


def serve_baseline(folder: Path, aws_port: int) -> ServerContext:
    """Serve the bare view from the first healthy answer on."""
    return _serve_gunicorn(BASELINE_OPTIONS, environment(folder, aws_port, folder / "none"), folder / "bare.log")


@contextmanager
def serve_fake_aws(folder: Path) -> Iterator[tuple[int, int]]:
    """Serve the fake AWS, and give its process id and its port."""
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
    """Ask once: the socket listens already, so that the answer comes the moment a worker can give it."""
    try:
        with socket.create_connection(("127.0.0.1", port), READY_SECONDS) as connection:
            connection.sendall(load_clients.HEALTH_REQUEST)
            answer = connection.recv(1024)
    except OSError:
        answer = b""
    if b" 200 " not in answer:
        raise RuntimeError(f"not served; the last of its log:\n{log.read_text(errors='replace')[-2000:]}")

"""Runs gunicorn and the worker as separate processes, with the settings of production."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import requests

from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 30
# A .env of the developer's must not reach a test.
WORKER_ARGUMENTS, WITHOUT_DOTENV = ["app.cli", "worker"], {"FLASK_SKIP_DOTENV": "1"}


@contextmanager
def run_gunicorn(environment: dict[str, str], log: IO[bytes] | None = None, port: int = 0) -> Iterator[str]:
    """Run gunicorn with its real settings and yield its URL.

    The URL says localhost while the sandbox's says 127.0.0.1: to a browser these are two sites.
    """
    port = port or free_port()
    server_environment = {**inherited_environment(), **environment}
    with start_gunicorn(["--bind", f"127.0.0.1:{port}"], server_environment, f"http://127.0.0.1:{port}/readyz", log):
        yield f"http://localhost:{port}/"


@contextmanager
def start_gunicorn(
    options: list[str], environment: dict[str, str], ready_url: str, log: IO[bytes] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run gunicorn with its real settings and these options; yield its process once `ready_url` answers 2xx."""
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", *options]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log)
    try:
        _wait_until_ready(server, ready_url)
        yield server
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def run_worker(environment: dict[str, str], log: int = subprocess.PIPE) -> Iterator["subprocess.Popen[str]"]:
    """Run `foyer worker`; its log is the pipe `stderr` of the process unless `log` says otherwise."""
    process = subprocess.Popen(
        [sys.executable, "-m", *WORKER_ARGUMENTS],
        cwd=ROOT,
        env={**inherited_environment(), **environment, **WITHOUT_DOTENV},
        stderr=log,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def wait_for_log_event(process: "subprocess.Popen[str]", event: str) -> str:
    """Return the first log line whose event name starts with `event`; after 20 s kill the process and return ""."""
    assert process.stderr
    killer = threading.Timer(20, process.kill)
    killer.start()
    line = next((line for line in process.stderr if f'"event": "{event}' in line), "")
    killer.cancel()
    return line


def inherited_environment() -> dict[str, str]:
    """Return the part of this machine's environment that every process needs."""
    return {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}


def _wait_until_ready(server: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if requests.get(url, timeout=30).ok:
                return
        except requests.ConnectionError:
            with suppress(subprocess.TimeoutExpired):
                server.wait(0.05)
    raise AssertionError(f"gunicorn did not answer at {url}")

"""Serves the application under gunicorn, as in production, for a browser to visit."""

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


@contextmanager
def run_gunicorn(environment: dict[str, str], log: IO[bytes] | None = None, port: int = 0) -> Iterator[str]:
    """Run gunicorn with its real settings, its log where it is wanted, and yield the URL it answers at.

    The URL says localhost while the sandbox says 127.0.0.1: to a browser these are two sites.
    """
    port = port or free_port()
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "--bind", f"127.0.0.1:{port}"]
    server = subprocess.Popen(command, cwd=ROOT, env={**inherited_environment(), **environment}, stderr=log)
    try:
        _wait_until_ready(server, f"http://127.0.0.1:{port}/readyz")
        yield f"http://localhost:{port}/"
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def run_worker(environment: dict[str, str], log: int = subprocess.PIPE) -> Iterator["subprocess.Popen[str]"]:
    """Run `flask worker`, whose log is to be read from its standard error, or to be left alone."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "worker"]
    whole = {**inherited_environment(), **environment, "FLASK_SKIP_DOTENV": "1"}
    process = subprocess.Popen(command, cwd=ROOT, env=whole, stderr=log, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def wait_for_log_event(process: "subprocess.Popen[str]", event: str) -> str:
    """Return the first line of a process's log about an event whose name begins so; it is ended if none comes."""
    assert process.stderr
    killer = threading.Timer(20, process.kill)
    killer.start()
    line = next((line for line in process.stderr if f'"event": "{event}' in line), "")
    killer.cancel()
    return line


def inherited_environment() -> dict[str, str]:
    """Return the part of this machine's environment that any process needs."""
    return {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}


def _wait_until_ready(server: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.ConnectionError:
            with suppress(subprocess.TimeoutExpired):
                server.wait(0.05)
    raise AssertionError(f"gunicorn did not answer at {url}")

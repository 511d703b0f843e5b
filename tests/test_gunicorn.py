"""The application under gunicorn with its real settings, in two processes."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from sandbox.server import Sandbox
from tests.support import app_processes, factories
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD
from tests.support.ports import free_port

# A WSGI application that returns its process id and whether its garbage collector is on.
PROCESS_STATUS_APP = """
import gc, os
def app(environ, start_response):
    start_response("200 OK", [])
    return [f"{os.getpid()} {gc.isenabled()}".encode()]
"""

pytestmark = on_sqlite


def test_metrics_count_the_landings_of_all_workers(database_url: str, sandbox: Sandbox) -> None:
    with (
        app_processes.run_gunicorn(factories.environment(database_url, sandbox.aws_url)) as url,
        ThreadPoolExecutor(8) as buyers,
    ):
        tokens = [factories.token(sandbox) for _ in range(40)]
        for token in tokens:
            buyers.submit(requests.post, url, data={TOKEN_FIELD: token}, allow_redirects=False, timeout=10)
        buyers.shutdown()

        metrics = requests.get(f"{url}metrics", timeout=10).text

    counter = re.search(r'^foyer_landings_total\{outcome="resolved"\} ([\d.]+)$', metrics, re.MULTILINE)
    assert counter
    assert float(counter[1]) == len(tokens)


def test_log_lines_of_parallel_processes_never_mix(
    database_url: str, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    environment = {**factories.environment(database_url, sandbox.aws_url), "PYTHONUNBUFFERED": "1"}

    with app_processes.run_gunicorn(environment) as url, ThreadPoolExecutor(16) as visitors:
        list(visitors.map(lambda _: requests.get(url, timeout=10), range(400)))

    lines = [line for line in capfd.readouterr().err.splitlines() if '"route"' in line]
    assert len([json.loads(line) for line in lines]) == 400


def test_metrics_folder_is_removed_when_gunicorn_stops(database_url: str, sandbox: Sandbox, tmp_path: Path) -> None:
    environment = {**factories.environment(database_url, sandbox.aws_url), "TMPDIR": str(tmp_path)}

    with app_processes.run_gunicorn(environment):
        during = list(tmp_path.glob("foyer-metrics-*"))

    assert len(during) == 1
    assert list(tmp_path.glob("foyer-metrics-*")) == []


@contextmanager
def run_status_app(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Run the status application in one gunicorn worker, temporary files in the folder; yield the process and URL."""
    (folder / "process_status.py").write_text(PROCESS_STATUS_APP)
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    options = f"--workers 1 --bind 127.0.0.1:{port} --pythonpath {folder} process_status:app"
    environment = {**app_processes.inherited_environment(), "TMPDIR": str(folder)}
    with app_processes.start_gunicorn(options.split(), environment, url) as server:
        yield server, url


def reload(server: "subprocess.Popen[bytes]", url: str) -> str:
    """Let gunicorn reload its settings; return the status of the new worker."""
    old_status = process_status(url)
    server.send_signal(signal.SIGHUP)
    while (status := process_status(url)).split()[0] == old_status.split()[0]:
        pass
    return status


def process_status(url: str) -> str:
    # A worker that is stopping may close a new connection.
    try:
        return requests.get(url, timeout=10).text
    except requests.ConnectionError:
        return process_status(url)


def test_workers_collect_garbage_after_a_reload_as_before(database_url: str, tmp_path: Path) -> None:
    with run_status_app(tmp_path) as (server, url):
        status = process_status(url)
        status_after_reload = reload(server, url)

    assert status.endswith("True")
    assert status_after_reload.endswith("True")


def test_reload_keeps_the_metrics_folder_until_gunicorn_stops(database_url: str, tmp_path: Path) -> None:
    with run_status_app(tmp_path) as (server, url):
        reload(server, url)
        during = list(tmp_path.glob("foyer-metrics-*"))

    assert len(during) == 1
    assert list(tmp_path.glob("foyer-metrics-*")) == []


def test_metrics_folder_set_by_the_seller_is_kept(database_url: str, sandbox: Sandbox, tmp_path: Path) -> None:
    own = tmp_path / "counts"
    own.mkdir()
    environment = {**factories.environment(database_url, sandbox.aws_url), "PROMETHEUS_MULTIPROC_DIR": str(own)}

    with app_processes.run_gunicorn(environment):
        pass

    assert own.is_dir()

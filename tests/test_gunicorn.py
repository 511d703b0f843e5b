"""The application as it is deployed: under gunicorn with its real settings, in two processes."""

import json
import re
import signal
import subprocess
import sys
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

# An application that tells which process answers, and whether that one collects its rubbish.
TELLS = """
import gc, os
def app(environ, start_response):
    start_response("200 OK", [])
    return [f"{os.getpid()} {gc.isenabled()}".encode()]
"""

pytestmark = on_sqlite


def test_the_workers_count_together(database_url: str, sandbox: Sandbox) -> None:
    with (
        app_processes.run_gunicorn(factories.environment(database_url, sandbox.aws_url)) as url,
        ThreadPoolExecutor(8) as buyers,
    ):
        tokens = [factories.token(sandbox) for _ in range(40)]
        list(
            buyers.map(
                lambda token: requests.post(url, data={TOKEN_FIELD: token}, allow_redirects=False, timeout=10), tokens
            )
        )

        metrics = requests.get(f"{url}metrics", timeout=10).text

    found = re.search(r'^foyer_landings_total\{outcome="resolved"\} ([\d.]+)$', metrics, re.MULTILINE)
    assert found
    assert float(found[1]) == len(tokens)


def test_the_lines_of_several_processes_never_mix(
    database_url: str, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    environment = {**factories.environment(database_url, sandbox.aws_url), "PYTHONUNBUFFERED": "1"}

    with app_processes.run_gunicorn(environment) as url, ThreadPoolExecutor(16) as visitors:
        list(visitors.map(lambda _: requests.get(url, timeout=10), range(400)))

    lines = [line for line in capfd.readouterr().err.splitlines() if '"route"' in line]
    assert len([json.loads(line) for line in lines]) == 400


def test_the_folder_of_the_counts_is_removed_at_the_end(database_url: str, sandbox: Sandbox, tmp_path: Path) -> None:
    environment = {**factories.environment(database_url, sandbox.aws_url), "TMPDIR": str(tmp_path)}

    with app_processes.run_gunicorn(environment):
        during = list(tmp_path.glob("foyer-metrics-*"))

    assert len(during) == 1
    assert list(tmp_path.glob("foyer-metrics-*")) == []


@contextmanager
def telling(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Run gunicorn with its real settings and TELLS in one process, temporary files in the folder; yield its URL."""
    (folder / "tells.py").write_text(TELLS)
    port = free_port()
    options = f"--workers 1 --bind 127.0.0.1:{port} --pythonpath {folder} tells:app"
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", *options.split()]
    server = subprocess.Popen(
        command, cwd=app_processes.ROOT, env={**app_processes.inherited_environment(), "TMPDIR": str(folder)}
    )
    try:
        app_processes._wait_until_ready(server, f"http://127.0.0.1:{port}/")
        yield server, f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(30)


def reload(server: "subprocess.Popen[bytes]", url: str) -> str:
    """Have gunicorn load its settings again, and return what a worker that came afterwards tells."""
    before = tell(url)
    server.send_signal(signal.SIGHUP)
    while (after := tell(url)).split()[0] == before.split()[0]:
        pass
    return after


def tell(url: str) -> str:
    # A worker that is going may drop whoever comes last.
    try:
        return requests.get(url, timeout=10).text
    except requests.ConnectionError:
        return tell(url)


def test_after_a_reload_the_workers_collect_their_rubbish_as_before(database_url: str, tmp_path: Path) -> None:
    with telling(tmp_path) as (server, url):
        at_first = tell(url)
        afterwards = reload(server, url)

    assert at_first.endswith("True")
    assert afterwards.endswith("True")


def test_after_a_reload_the_folder_of_the_counts_is_the_same_and_is_removed_at_the_end(
    database_url: str, tmp_path: Path
) -> None:
    with telling(tmp_path) as (server, url):
        reload(server, url)
        during = list(tmp_path.glob("foyer-metrics-*"))

    assert len(during) == 1
    assert list(tmp_path.glob("foyer-metrics-*")) == []


def test_a_folder_of_the_sellers_own_stays(database_url: str, sandbox: Sandbox, tmp_path: Path) -> None:
    own = tmp_path / "counts"
    own.mkdir()
    environment = {**factories.environment(database_url, sandbox.aws_url), "PROMETHEUS_MULTIPROC_DIR": str(own)}

    with app_processes.run_gunicorn(environment):
        pass

    assert own.is_dir()


def test_what_production_loads_leaves_out_migrations_and_the_sandbox(database_url: str, sandbox: Sandbox) -> None:
    code = "import sys, wsgi; print(*sys.modules)"
    environment = factories.environment(database_url, sandbox.aws_url)

    loaded = subprocess.run(
        [sys.executable, "-c", code],
        cwd=app_processes.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert "boto3" in loaded
    assert not {"alembic", "moto", "pytest", "sandbox"} & set(loaded)

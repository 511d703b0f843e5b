"""The application as it is deployed: under gunicorn with its real settings, in two processes."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from app.sandbox.server import Sandbox
from tests import factories
from tests.e2e import stage
from tests.factories import TOKEN

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_the_workers_count_together(database_url: str, sandbox: Sandbox) -> None:
    with stage.serving(factories.environment(database_url, sandbox.aws_url)) as url, ThreadPoolExecutor(8) as buyers:
        tokens = [factories.token(sandbox) for _ in range(40)]
        list(
            buyers.map(lambda token: requests.post(url, data={TOKEN: token}, allow_redirects=False, timeout=10), tokens)
        )

        metrics = requests.get(f"{url}metrics", timeout=10).text

    found = re.search(r'^foyer_landings_total\{outcome="resolved"\} ([\d.]+)$', metrics, re.MULTILINE)
    assert found
    assert float(found[1]) == len(tokens)


def test_the_lines_of_several_processes_never_mix(
    database_url: str, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    environment = {**factories.environment(database_url, sandbox.aws_url), "PYTHONUNBUFFERED": "1"}

    with stage.serving(environment) as url, ThreadPoolExecutor(16) as visitors:
        list(visitors.map(lambda _: requests.get(url, timeout=10), range(400)))

    lines = [line for line in capfd.readouterr().err.splitlines() if '"route"' in line]
    assert len([json.loads(line) for line in lines]) == 400


def test_the_folder_of_the_counts_is_removed_at_the_end(database_url: str, sandbox: Sandbox, tmp_path: Path) -> None:
    environment = {**factories.environment(database_url, sandbox.aws_url), "TMPDIR": str(tmp_path)}

    with stage.serving(environment):
        during = list(tmp_path.glob("foyer-metrics-*"))

    assert len(during) == 1
    assert list(tmp_path.glob("foyer-metrics-*")) == []


def test_what_production_loads_leaves_out_migrations_and_the_sandbox(database_url: str, sandbox: Sandbox) -> None:
    code = "import sys, wsgi; print(*sys.modules)"
    environment = factories.environment(database_url, sandbox.aws_url)

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=stage.ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout.split()

    assert "boto3" in loaded
    assert not {"alembic", "moto", "pytest", "app.sandbox"} & set(loaded)

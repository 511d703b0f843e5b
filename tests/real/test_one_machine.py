"""Caddy, systemd and others' readers with the files of deploy/ for one machine."""

import json
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from flask import request

from app import create_app
from sandbox.server import Sandbox
from tests.real import packages, programs
from tests.support import app_processes, factories
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD
from tests.support.local_server import serve_app
from tests.support.ports import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = ("foyer-web.service", "foyer-worker.service")
# Beside the file, as it is: no certificate of the internet's, and nothing outside the folder.
CADDY_MAIN = "{{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n}}\nimport {file}\n"
# What `systemd-analyze security` calls OK; 10 is a unit without any limit.
MAX_EXPOSURE = 3.5


@contextmanager
def run_caddy(folder: Path, foyer_port: int) -> Iterator[tuple[str, Path]]:
    """Run Caddy with deploy/Caddyfile before Foyer's port, and yield its URL and its certificate's authority."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    config = folder / "Caddyfile"
    config.write_text(CADDY_MAIN.format(file=DEPLOY / "Caddyfile"))
    command = [programs.path_of("caddy"), "run", "--adapter", "caddyfile", "--config", str(config)]
    variables = {"DOMAIN": f"localhost:{port}", "FOYER": f"127.0.0.1:{foyer_port}"}
    with programs.run(command, port, folder / "output.log", variables):
        yield f"https://localhost:{port}", folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"


@pytest.fixture
def settings(sandbox: Sandbox, sqlite_template: Path, tmp_path: Path) -> dict[str, str]:
    """Foyer's environment, with what deploy/compose.yaml sets."""
    database = tmp_path / "foyer.db"
    database.write_bytes(sqlite_template.read_bytes())
    proxied = {"TRUSTED_PROXIES": "1", "TRUSTED_HOSTS": "localhost", "SESSION_COOKIE_SECURE": "true"}
    return {**factories.environment(f"sqlite:///{database}", sandbox.aws_url), **proxied}


def test_buyer_waits_in_caddy_while_foyer_is_exchanged(settings: dict[str, str], tmp_path: Path) -> None:
    port = free_port()

    with run_caddy(tmp_path / "caddy", port) as (url, authority), ThreadPoolExecutor(1) as buyer:
        waiting = buyer.submit(requests.get, url, verify=str(authority), timeout=40)
        with app_processes.run_gunicorn(settings, port=port):
            assert waiting.result(40).status_code == 200


def test_buyer_lands_through_caddy_which_hides_metrics(
    settings: dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> None:
    port = free_port()

    with (
        app_processes.run_gunicorn(settings, port=port),
        run_caddy(tmp_path / "caddy", port) as (url, authority),
        requests.Session() as browser,
    ):
        browser.verify = str(authority)
        browser.trust_env = False
        page = browser.post(url, data={TOKEN_FIELD: factories.token(sandbox)}, timeout=10)

        assert (page.status_code, page.url) == (200, f"{url}/signup")
        metrics = ("/metrics", "/METRICS", "/%6detrics", "//metrics", "/metrics/", "/x/../metrics", "/metrics?x")
        assert [get_exactly(browser, url, path).status_code for path in metrics] == [404] * len(metrics)
        assert browser.get(f"{url}/readyz", timeout=10).text == "ready\n"


def get_exactly(browser: requests.Session, url: str, path: str) -> requests.Response:
    """Get the path as it is written; requests would shorten it."""
    page = browser.prepare_request(requests.Request("GET", url))
    page.url = f"{url}{path}"
    return browser.send(page, verify=browser.verify, timeout=10)


@on_sqlite
def test_foyer_sees_the_buyers_address_behind_caddy(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("TRUSTED_PROXIES", "1")
    environment.setenv("TRUSTED_HOSTS", "localhost")
    spoofed = {"X-Forwarded-For": "192.0.2.66", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}
    with factories.open_app(create_app()) as app:
        app.add_url_rule("/who", view_func=lambda: f"{request.remote_addr} {request.scheme} {request.host}")
        with serve_app(app) as app_url, run_caddy(tmp_path, int(app_url.rpartition(":")[2])) as (url, authority):
            seen = requests.get(f"{url}/who", headers=spoofed, verify=str(authority), timeout=10).text

    assert re.fullmatch(r"127\.0\.0\.1 https localhost(:\d+)?", seen)


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """The units, with programs where they look for them."""
    for name in ("foyer", "gunicorn"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    for name in UNITS:
        text = (DEPLOY / "systemd" / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/srv/foyer/.venv/bin", str(tmp_path)))
    return [str(tmp_path / name) for name in UNITS]


def test_systemd_finds_nothing_wrong_with_the_units(units: list[str]) -> None:
    command = [programs.path_of("systemd-analyze"), "verify", "--man=no", *units]

    found = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (found.returncode, found.stderr) == (0, "")


def test_systemd_finds_the_units_well_closed(units: list[str]) -> None:
    for unit in units:
        command = [programs.path_of("systemd-analyze"), "security", "--offline=true", "--no-pager", unit]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout

        [exposure] = re.findall(r"Overall exposure level for .+: ([\d.]+)", found)
        assert float(exposure) <= MAX_EXPOSURE


def test_compose_file_is_valid_by_the_specification() -> None:
    program = programs.folder_of(packages.CHECK_JSONSCHEMA) / "bin" / "check-jsonschema"
    command = [str(program), "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml")]

    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout


def test_terraform_module_is_valid_hcl() -> None:
    program = programs.folder_of(packages.HCL) / "bin" / "hcl2tojson"

    parsed = subprocess.run(
        [str(program), str(DEPLOY / "terraform" / "main.tf")], capture_output=True, text=True, check=True
    )

    [resource] = json.loads(parsed.stdout)["resource"]
    assert "aws_cloudformation_stack" in json.dumps(resource)

"""`foyer sandbox`, `python -m sandbox.example` and `make run`, each as a real process."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pytest
import requests

from sandbox import catalogue, environment, run_all
from sandbox.seller_account import QUEUE_PATH
from sandbox.server import Sandbox
from tests.sandbox.conftest import CreateClient, QueueReader
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
FLASK = (sys.executable, "-m", "flask", "--app", "wsgi")
WITHOUT_MOTO = "import sys; sys.modules['moto'] = None; from flask.cli import main; main()"


def settings(tmp_path: Path, **chosen: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": f"sqlite:///{tmp_path / 'foyer.db'}",
        "PRODUCTS_FILE": str(catalogue.PRODUCTS_FILE),
        "SECRET_KEY": "a secret key for tests alone",
        "SITE_URL": "http://localhost:8000",
        "HANDOFF_SECRET": "whsec_Zm9yIHRlc3RzIGFsb25lLCAzMiBieXRlcyBsb25nLi4u",
        "HANDOFF_ALLOW_PRIVATE": "true",
        **chosen,
    }


class PipedProcess(subprocess.Popen[str]):
    """A process whose standard output is a pipe; typed so that mypy knows it is never None."""

    stdout: IO[str]


@contextmanager
def run_process(command: list[str], environment: dict[str, str]) -> Iterator[PipedProcess]:
    with PipedProcess(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def read_until(process: PipedProcess, pattern: str) -> re.Match[str]:
    lines = []
    for line in process.stdout:
        lines.append(line)
        if match := re.search(pattern, line):
            return match
    raise AssertionError("".join(lines))


def wait_for(capsys: pytest.CaptureFixture[str], text: str) -> str:
    shown, deadline = "", time.monotonic() + 60
    while text not in shown:
        assert time.monotonic() < deadline, shown
        time.sleep(0.05)
        shown += capsys.readouterr().out
    return shown


def test_flask_sandbox_runs_until_it_is_stopped(tmp_path: Path, create_client: CreateClient) -> None:
    command = [*FLASK, "sandbox", "--aws-port=0", "--storefront-port=0", f"--state={tmp_path / 'state.json'}"]

    with run_process(command, settings(tmp_path)) as process:
        storefront, aws = read_until(process, r"Storefront (\S+), AWS endpoint (\S+)").groups()
        bought = requests.post(f"{storefront}/api/purchases", json={"product_code": "insights1example"}, timeout=30)
        queue = QueueReader(create_client("sqs", endpoint_url=aws), f"{aws}{QUEUE_PATH}")
        events = queue.receive()
        process.terminate()
        status = process.wait(30)

    assert bought.status_code == 201
    assert [event["detail"]["agreement"]["id"] for event in events] == [bought.json()["agreement_id"]]
    assert status == 0
    assert bought.json()["id"] in (tmp_path / "state.json").read_text()


def test_flask_sandbox_without_moto_names_what_to_install(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_MOTO, "--app", "wsgi", "sandbox"]

    result = subprocess.run(command, cwd=ROOT, env=settings(tmp_path), capture_output=True, text=True, check=False)

    assert result.returncode == 1
    assert "pip install -r requirements-dev.txt" in result.stderr
    assert "Traceback" not in result.stderr


def test_flask_sandbox_on_a_busy_port_names_the_options(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [*FLASK, "sandbox", f"--aws-port={listener.getsockname()[1]}"]

        result = subprocess.run(command, cwd=ROOT, env=settings(tmp_path), capture_output=True, text=True, check=False)

    assert result.returncode == 1
    assert "Choose other ports: --storefront-port, --aws-port." in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("chosen", "advice"),
    [({"HANDOFF_SECRET": ""}, "Set it to the secret that Foyer signs with."), ({}, "Choose another port: --port.")],
    ids=["no secret", "port in use"],
)
def test_example_product_that_cannot_start_names_the_setting(
    tmp_path: Path, chosen: dict[str, str], advice: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-m", "sandbox.example", f"--port={listener.getsockname()[1]}"]

        env = settings(tmp_path, **chosen)
        result = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)

    assert result.returncode == 1
    assert advice in result.stderr
    assert "Traceback" not in result.stderr


def test_make_run_prints_the_addresses_and_nothing_after_them(tmp_path: Path) -> None:
    ports = {name: str(free_port()) for name in environment.DEFAULT_PORTS}
    command = [sys.executable, "-m", "sandbox.run_all"]

    with run_process(command, settings(tmp_path, USAGE_API_TOKEN="kept", **ports)) as process:
        start: list[str] = []
        while not start or "Ctrl-C stops everything" not in start[-1]:
            start.append(process.stdout.readline())
            assert start[-1], start
        landing = requests.get(f"http://localhost:{ports['APP_PORT']}/", timeout=30)
        product = requests.get(f"http://127.0.0.1:{ports['EXAMPLE_PORT']}/", timeout=30)
        event = buy_until_the_worker_has_read_it(f"http://127.0.0.1:{ports['STOREFRONT_PORT']}/api")
        other_command = environment.add_defaults(settings(tmp_path))
        command = [*FLASK, "doctor"]
        doctor = subprocess.run(command, cwd=ROOT, env=other_command, capture_output=True, text=True, check=False)
        process.send_signal(signal.SIGINT)
        status = process.wait(15)
        rest = process.stdout.read().split("\n")

    assert landing.status_code == 200
    assert "pretend product" in product.text
    assert event["state"] == "done"
    assert start[:2] == ["Starting; this takes a few seconds ...\n", "\n"]
    assert "Foyer is running" in start[2]
    assert f"http://127.0.0.1:{ports['STOREFRONT_PORT']} " in start[4]
    assert [line for line in rest if line] == ["Stopping ..."]
    assert status == 0
    assert doctor.returncode == 0, doctor.stdout
    assert [line[:21].split() for line in doctor.stdout.splitlines() if not line.startswith("ok")] == [
        ["warn", "event", "rules"]
    ]
    assert "The sandbox has no EventBridge rules" in doctor.stdout
    for port in ports.values():
        socket.create_server(("127.0.0.1", int(port))).close()


def buy_until_the_worker_has_read_it(api: str) -> dict[str, Any]:
    """Buy a product, and return its first event after at most 20 s."""
    bought = requests.post(f"{api}/purchases", json={"product_code": "insights1example"}, timeout=5).json()
    url, deadline = f"{api}/purchases/{bought['id']}/events", time.monotonic() + 20
    while (event := requests.get(url, timeout=5).json()[0])["state"] != "done" and time.monotonic() < deadline:
        time.sleep(0.1)
    return dict(event)


def test_make_run_ignores_the_database_url_in_dotenv(tmp_path: Path) -> None:
    ports = {name: str(free_port()) for name in environment.DEFAULT_PORTS}
    chosen = settings(tmp_path, PYTHONPATH=str(ROOT), **ports)
    del chosen["DATABASE_URL"], chosen["SECRET_KEY"]
    # The short key ends the start before any database is opened, so this checkout's own database is safe as well.
    (tmp_path / ".env").write_text("DATABASE_URL=production://\nSECRET_KEY=short\n")
    command = [sys.executable, "-m", "sandbox.run_all"]

    result = subprocess.run(command, cwd=tmp_path, env=chosen, capture_output=True, text=True, check=False)

    assert result.returncode == 1
    assert "SECRET_KEY: " in result.stderr
    assert "DATABASE_URL: " not in result.stderr


def test_only_the_process_that_does_not_answer_is_reported(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    open_port = sandbox.storefront_url.rpartition(":")[2]
    unused = {"APP_PORT": str(free_port()), "STOREFRONT_PORT": open_port, "EXAMPLE_PORT": open_port}
    stopped = threading.Event()
    announcement = threading.Thread(target=run_all.announce_when_ready, args=(unused, stopped, 2))

    announcement.start()
    shown = wait_for(capsys, "LOG_LEVEL=INFO make run")
    stopped.set()
    announcement.join()

    assert f"http://localhost:{unused['APP_PORT']}/readyz" in shown
    assert "marked app" in shown
    assert sandbox.storefront_url not in shown

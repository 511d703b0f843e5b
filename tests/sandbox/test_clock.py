"""The sandbox's clock: it moves ahead, all parts follow it, and it survives a restart."""

import re
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.aws_errors import ExpiredToken
from sandbox.purchases import Order
from sandbox.remote_clock import RemoteClock
from sandbox.run_all import GUNICORN_CONFIG
from sandbox.server import Sandbox
from tests.sandbox.test_commands import read_until, run_process, settings
from tests.support.ports import free_port
from tests.support.sandbox_api import call_api

ORDER = Order(product_code="insights1example", account_id="111122223333")
AT = datetime(2027, 1, 31, 23, 30, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
CLOCK_APP = """
from app.services.metering import clock

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [clock.now().isoformat().encode()]
"""
PRINT_CLOCK = "from app.services.metering import clock; print(clock.now().isoformat())"


def aws_port(sandbox: Sandbox) -> int:
    return int(sandbox.aws_url.rpartition(":")[2])


def hours_ahead(at: datetime | str) -> int:
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return round((moment - datetime.now(UTC)) / timedelta(hours=1))


def test_clock_shows_the_real_time_at_first(sandbox: Sandbox) -> None:
    shown = call_api(sandbox, "GET", "/clock").json()

    assert hours_ahead(shown["now"]) == 0
    assert shown["now"].endswith("Z")
    assert shown["ahead_seconds"] == 0


def test_clock_is_moved_ahead_for_both_servers(sandbox: Sandbox) -> None:
    moved = call_api(sandbox, "POST", "/clock", {"advance_minutes": 60}).json()
    call_api(sandbox, "POST", "/clock", {"advance_minutes": 90})
    of_aws = requests.get(f"{sandbox.aws_url}/_sandbox/clock", timeout=30).json()

    assert moved["ahead_seconds"] == 3600
    assert of_aws["ahead_seconds"] == 9000
    assert timedelta(0) <= sandbox.clock.now() - datetime.fromisoformat(of_aws["now"]) < timedelta(seconds=10)


@pytest.mark.parametrize("body", [{}, {"advance_minutes": 0}, {"advance_minutes": -60}, {"advance_minutes": 10**9}])
def test_clock_never_goes_back(sandbox: Sandbox, body: dict[str, Any]) -> None:
    response = call_api(sandbox, "POST", "/clock", body)

    assert response.status_code == 400
    assert "advance_minutes: " in response.json()["error"]


def test_start_over_keeps_the_time(sandbox: Sandbox) -> None:
    call_api(sandbox, "POST", "/clock", {"advance_minutes": 60})

    call_api(sandbox, "POST", "/reset")

    assert hours_ahead(sandbox.clock.now()) == 1


def test_purchases_and_events_have_the_time_of_the_clock(sandbox: Sandbox) -> None:
    sandbox.clock.set(AT, stopped=True)
    purchase = sandbox.marketplace.buy(ORDER)
    sandbox.clock.advance(timedelta(hours=1))

    (event,) = sandbox.marketplace.apply_action(purchase, "confirm")

    assert purchase.bought_at == AT
    assert event.body["time"] == "2027-02-01T00:29:59Z"


def test_token_expires_by_the_clock(sandbox: Sandbox) -> None:
    token = sandbox.marketplace.mint_token(sandbox.marketplace.buy(ORDER))

    sandbox.clock.advance(timedelta(hours=4))

    with pytest.raises(ExpiredToken):
        sandbox.marketplace.resolve_token(token)


def test_clock_and_usage_survive_a_restart(tmp_path: Path) -> None:
    with Sandbox(state_path=tmp_path / "state.json") as before:
        purchase = before.marketplace.buy(ORDER)
        call_api(before, "POST", "/clock", {"advance_minutes": 60})

    with Sandbox(state_path=tmp_path / "state.json") as after:
        assert hours_ahead(after.clock.now()) == 1
        (license_,) = after.marketplace.usage.licenses.of_purchase(purchase.id)
        assert license_.name == purchase.license_arn


def test_clock_of_tests_can_be_stopped_and_goes_on_when_set(sandbox: Sandbox) -> None:
    sandbox.clock.set(AT, stopped=True)
    stopped = [sandbox.clock.now(), RemoteClock(aws_port(sandbox)).now()]

    sandbox.clock.set(AT)

    assert stopped[0] == AT
    assert abs(stopped[1] - AT) < timedelta(seconds=10)
    assert AT < sandbox.clock.now() < AT + timedelta(minutes=1)


def test_other_process_follows_the_clock_within_a_second(sandbox: Sandbox) -> None:
    clock = RemoteClock(aws_port(sandbox))
    clock.now()
    sandbox.clock.advance(timedelta(hours=5))

    deadline = time.monotonic() + 30
    while hours_ahead(clock.now()) != 5:
        assert time.monotonic() < deadline


def test_process_keeps_its_time_while_the_sandbox_is_away() -> None:
    with Sandbox() as sandbox:
        sandbox.clock.advance(timedelta(hours=5))
        clock = RemoteClock(aws_port(sandbox))
        clock.now()

    clock.read()

    assert hours_ahead(clock.now()) == 5


@pytest.mark.parametrize("answer", [None, b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", b"hello\r\n\r\n"])
def test_clock_goes_on_where_another_server_has_the_port(answer: bytes | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        replying = threading.Thread(target=reply, args=(listener, answer))
        replying.start()
        started_at = time.monotonic()

        assert hours_ahead(RemoteClock(listener.getsockname()[1]).now()) == 0

        assert time.monotonic() - started_at < 5
        replying.join()


def reply(listener: socket.socket, answer: bytes | None) -> None:
    """Answer one connection; without an answer, only read until the client gives up."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(1024)
        if answer:
            connection.sendall(answer)
        else:
            connection.recv(1024)


def test_command_of_make_foyer_dates_usage_by_the_clock(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.clock.advance(timedelta(hours=30))
    shell = [sys.executable, "-m", "sandbox.with_clock", "flask", "--app", "wsgi", "shell"]
    env = settings(tmp_path, AWS_PORT=str(aws_port(sandbox)))

    shown = subprocess.run(shell, cwd=ROOT, env=env, input=PRINT_CLOCK, capture_output=True, text=True, check=False)

    assert [hours_ahead(at) for at in re.findall(r"\S+\+00:00", shown.stdout)] == [30], shown


def test_foyer_program_runs_by_the_clock_with_its_own_name(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sandbox.with_clock", "foyer", "--help"]

    shown = subprocess.run(command, cwd=ROOT, env=settings(tmp_path), capture_output=True, text=True, check=True)

    assert shown.stdout.startswith("Usage: foyer ")


def test_gunicorn_of_make_run_dates_usage_by_the_clock(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.clock.advance(timedelta(hours=30))
    (tmp_path / "clock_app.py").write_text(CLOCK_APP)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", f"--config={GUNICORN_CONFIG}", f"--bind=127.0.0.1:{port}"]
    env = settings(tmp_path, AWS_PORT=str(aws_port(sandbox)), PYTHONPATH=f"{tmp_path}:{ROOT}")

    with run_process([*command, "--log-level=info", "clock_app:app"], env) as process:
        read_until(process, "Listening at")
        shown = requests.get(f"http://127.0.0.1:{port}/", timeout=30)

    assert hours_ahead(shown.text) == 30

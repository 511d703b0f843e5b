"""Crowds larger than all threads, slow or silent: a buyer who comes after them is served soon."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests

from app.config.settings import THREADS
from app.gunicorn_worker import TOTAL_TIME_FACTOR
from sandbox.server import Sandbox
from tests.hostile import raw_http
from tests.hostile.conftest import REQUEST_TIMEOUT_SECONDS, RunningServer
from tests.hostile.raw_http import post_bytes
from tests.support import app_processes, factories
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD

WORKERS = 2
CROWD = 2 * WORKERS * THREADS + 10
SOON = REQUEST_TIMEOUT_SECONDS + 8
# How they hold a server up -> what each of them sends before it falls silent.
STARTS = {
    "nothing at all": b"",
    "half of the headers": b"POST / HTTP/1.1\r\nHost: localhost\r\nA: ",
    "half of the body": post_bytes(b"x-amzn-", length=1000),
    "all of it, and no goodbye": b"GET /healthz HTTP/1.0\r\n\r\n",
}


@contextmanager
def crowd(url: str, start: bytes, size: int, room: int | None = None) -> Iterator[list[socket.socket]]:
    with ExitStack() as held:
        connections = [
            held.enter_context(raw_http.open_connection(url, receive_buffer_bytes=room)) for _ in range(size)
        ]
        for connection in connections:
            connection.sendall(start)
        yield connections


def serves(url: str) -> bool:
    try:
        return requests.get(url, timeout=1.5).ok
    except requests.Timeout:
        return False


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_buyer_is_served_soon_after_a_crowd_of_slow_clients(
    checked_server: RunningServer, sandbox: Sandbox, start: bytes
) -> None:
    with crowd(checked_server.url, start, CROWD):
        response = requests.post(
            checked_server.url, data={TOKEN_FIELD: factories.token(sandbox)}, allow_redirects=False, timeout=SOON
        )

    assert response.status_code == 303


@on_sqlite
def test_who_says_nothing_takes_no_thread(database_url: str, sandbox: Sandbox) -> None:
    environment = factories.environment(database_url, sandbox.aws_url)
    options = {"GUNICORN_CMD_ARGS": "--workers 1 --threads 2"}

    with app_processes.run_gunicorn({**environment, **options}) as url, crowd(url, b"", 20):
        response = requests.get(url, timeout=10)

    assert response.status_code == 200


def test_a_crowd_that_drips_is_not_waited_for_either(checked_server: RunningServer) -> None:
    with crowd(checked_server.url, post_bytes(b"a", length=5000), 1) as [dripping]:
        dripping.settimeout(0.05)
        answer = b""
        for _ in range(int(SOON / 0.05)):
            try:
                dripping.sendall(b"a")
                answer = dripping.recv(1000)
                break
            except TimeoutError:
                continue

    assert answer.startswith(b"HTTP/1.1 400 ")


@on_sqlite
def test_who_reads_no_answers_holds_no_thread_for_long(database_url: str, sandbox: Sandbox) -> None:
    options = f"--graceful-timeout {REQUEST_TIMEOUT_SECONDS} --workers 1 --threads 2"
    environment = factories.environment(database_url, sandbox.aws_url)

    many = b"GET /static/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000

    with (
        app_processes.run_gunicorn({**environment, "GUNICORN_CMD_ARGS": options}) as url,
        crowd(url, many, 3, room=4096),
    ):
        while serves(url):
            pass
        response = requests.get(url, timeout=REQUEST_TIMEOUT_SECONDS * TOTAL_TIME_FACTOR + 10)

    assert response.status_code == 200


@pytest.fixture
def warm_server_url(sandbox: Sandbox, sqlite_template: Path, tmp_path: Path) -> Iterator[str]:
    """The URL of one process that has spoken to AWS before: the first time takes longer."""
    (tmp_path / "foyer.db").write_bytes(sqlite_template.read_bytes())
    environment = factories.environment(f"sqlite:///{tmp_path / 'foyer.db'}", sandbox.aws_url)
    options = {"GUNICORN_CMD_ARGS": f"--workers 1 --graceful-timeout {REQUEST_TIMEOUT_SECONDS}"}
    with app_processes.run_gunicorn({**environment, **options}) as url:
        requests.post(url, data={TOKEN_FIELD: factories.token(sandbox)}, allow_redirects=False, timeout=10)
        yield url


def test_an_answer_that_takes_long_is_not_cut(warm_server_url: str, sandbox: Sandbox) -> None:
    token = factories.token(sandbox)
    sandbox.marketplace.faults = sandbox.marketplace.faults.model_copy(update={"slow": REQUEST_TIMEOUT_SECONDS + 1.2})

    response = requests.post(warm_server_url, data={TOKEN_FIELD: token}, allow_redirects=False, timeout=10)

    assert response.status_code == 303


@pytest.mark.parametrize("framed", ["by its length", "in chunks"])
def test_a_connection_is_kept_after_an_answer_that_took_long(
    warm_server_url: str, sandbox: Sandbox, framed: str
) -> None:
    landing = urlencode({TOKEN_FIELD: factories.token(sandbox)}).encode()
    chunks = post_bytes(raw_http.unfinished_chunks(landing) + b"0\r\n\r\n", "Transfer-Encoding: chunked")
    sandbox.marketplace.faults = sandbox.marketplace.faults.model_copy(update={"slow": REQUEST_TIMEOUT_SECONDS + 1.2})

    with raw_http.open_connection(warm_server_url) as connection:
        connection.sendall(post_bytes(landing) if framed == "by its length" else chunks)
        slow = raw_http.read_response(connection)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(raw_http.TIMEOUT_SECONDS)
        connection.sendall(post_bytes(b""))
        next_one = raw_http.read_response(connection)

    assert (slow.status, slow.headers["Connection"]) == (303, "keep-alive")
    assert next_one.status == 400


def test_a_connection_that_was_cut_says_so_in_its_answer(checked_server: RunningServer) -> None:
    with crowd(checked_server.url, post_bytes(b"x-amzn-", length=1000), 1) as [half]:
        answer = raw_http.read_response(half)

    assert (answer.status, answer.headers["Connection"]) == (400, "close")

"""Slow and silent clients, more than there are threads: a buyer who comes later is served soon."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests

from app.config.settings import THREADS
from sandbox.server import Sandbox
from tests.hostile import raw_http
from tests.hostile.conftest import REQUEST_TIMEOUT_SECONDS, RunningServer
from tests.hostile.raw_http import open_connections, post_bytes
from tests.support import app_processes, factories
from tests.support.factories import TOKEN_FIELD

WORKERS = 2
CROWD_SIZE = 2 * WORKERS * THREADS + 10
SOON_SECONDS = REQUEST_TIMEOUT_SECONDS + 8
# How a slow client behaves -> what it sends before it stops sending.
SLOW_REQUESTS = {
    "nothing at all": b"",
    "half of the headers": b"POST / HTTP/1.1\r\nHost: localhost\r\nA: ",
    "half of the body": post_bytes(b"x-amzn-", length=1000),
    "a whole request, but the connection stays open": b"GET /healthz HTTP/1.0\r\n\r\n",
}


@pytest.mark.parametrize("slow_request", SLOW_REQUESTS.values(), ids=SLOW_REQUESTS)
def test_buyer_is_served_soon_after_many_slow_clients(
    checked_server: RunningServer, sandbox: Sandbox, slow_request: bytes
) -> None:
    with open_connections(checked_server.url, slow_request, CROWD_SIZE):
        response = requests.post(
            checked_server.url,
            data={TOKEN_FIELD: factories.token(sandbox)},
            allow_redirects=False,
            timeout=SOON_SECONDS,
        )

    assert response.status_code == 303


def test_client_sending_single_bytes_is_cut_off(checked_server: RunningServer) -> None:
    with open_connections(checked_server.url, post_bytes(b"a", length=5000), 1) as [connection]:
        connection.settimeout(0.05)
        response = b""
        for _ in range(int(SOON_SECONDS / 0.05)):
            try:
                connection.sendall(b"a")
                response = connection.recv(1000)
                break
            except TimeoutError:
                continue

    assert response.startswith(b"HTTP/1.1 400 ")


@pytest.fixture
def warm_server_url(sandbox: Sandbox, sqlite_template: Path, tmp_path: Path) -> Iterator[str]:
    """The URL of one process that has called AWS before: the first call takes longer."""
    (tmp_path / "foyer.db").write_bytes(sqlite_template.read_bytes())
    environment = factories.environment(f"sqlite:///{tmp_path / 'foyer.db'}", sandbox.aws_url)
    options = {"GUNICORN_CMD_ARGS": f"--workers 1 --graceful-timeout {REQUEST_TIMEOUT_SECONDS}"}
    with app_processes.run_gunicorn({**environment, **options}) as url:
        requests.post(url, data={TOKEN_FIELD: factories.token(sandbox)}, allow_redirects=False, timeout=10)
        yield url


def test_slow_response_is_not_cut(warm_server_url: str, sandbox: Sandbox) -> None:
    token = factories.token(sandbox)
    sandbox.marketplace.change_faults(slow=REQUEST_TIMEOUT_SECONDS + 1.2)

    response = requests.post(warm_server_url, data={TOKEN_FIELD: token}, allow_redirects=False, timeout=10)

    assert response.status_code == 303


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_connection_is_kept_alive_after_a_slow_response(warm_server_url: str, sandbox: Sandbox, framing: str) -> None:
    landing = urlencode({TOKEN_FIELD: factories.token(sandbox)}).encode()
    chunks = post_bytes(raw_http.unfinished_chunks(landing) + b"0\r\n\r\n", "Transfer-Encoding: chunked")
    sandbox.marketplace.change_faults(slow=REQUEST_TIMEOUT_SECONDS + 1.2)

    with raw_http.open_connection(warm_server_url) as connection:
        connection.sendall(post_bytes(landing) if framing == "length" else chunks)
        slow_response = raw_http.read_response(connection)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(raw_http.TIMEOUT_SECONDS)
        connection.sendall(post_bytes(b""))
        next_response = raw_http.read_response(connection)

    assert (slow_response.status, slow_response.headers["Connection"]) == (303, "keep-alive")
    assert next_response.status == 400


def test_response_on_a_cut_connection_says_close(checked_server: RunningServer) -> None:
    with open_connections(checked_server.url, post_bytes(b"x-amzn-", length=1000), 1) as [connection]:
        response = raw_http.read_response(connection)

    assert (response.status, response.headers["Connection"]) == (400, "close")

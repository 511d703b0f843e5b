"""Crowds of slow, silent and idle clients that stay: one process with two threads serves everyone else at once."""

import re
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from app.config.settings import THREADS
from app.gunicorn_worker import MAX_LARGE_REQUESTS, TOTAL_TIME_FACTOR
from app.security.http_requests import MAX_REQUEST_BYTES
from sandbox.server import Sandbox
from tests.hostile import raw_http
from tests.hostile.raw_http import open_connections, post_bytes, unfinished_chunks
from tests.support import app_processes, factories
from tests.support.factories import TOKEN_FIELD
from tests.support.ports import free_port

# Far below the 20 s for which a slow client may send, and the 75 s for which an idle connection is kept.
AT_ONCE_SECONDS = 10
PLACES = 20
HEALTH_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
# How the clients of a crowd behave -> what each sends before it waits.
CROWDS = {
    "nothing at all": b"",
    "half of the request line": b"GET /heal",
    "half of the headers": b"POST / HTTP/1.1\r\nHost: localhost\r\nA: ",
    "half of a body": post_bytes(b"x-amzn-", length=1000),
    "half of a chunked body": post_bytes(unfinished_chunks(b"x-amzn-"), "Transfer-Encoding: chunked"),
    "half of a second request": HEALTH_REQUEST + b"GET /heal",
    "a whole request, and no more": HEALTH_REQUEST,
    "a last request, without closing": b"GET /healthz HTTP/1.0\r\n\r\n",
    "the head only, until it may continue": post_bytes(b"", "Expect: 100-continue", length=1000),
}
# A WSGI application whose response fits into no buffer.
LARGE_RESPONSE_APP = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"x" * (environ["PATH_INFO"] == "/large" and 50_000_000)]
"""


@pytest.fixture(scope="module")
def running_server_url(
    running_sandbox: Sandbox, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of one process with two threads and few places for connections."""
    database = tmp_path_factory.mktemp("crowds") / "foyer.db"
    database.write_bytes(sqlite_template.read_bytes())
    options = f"--workers 1 --threads 2 --worker-connections {PLACES}"
    environment = factories.environment(f"sqlite:///{database}", running_sandbox.aws_url)
    with app_processes.run_gunicorn({**environment, "GUNICORN_CMD_ARGS": options}) as url:
        yield url


@pytest.fixture
def small_server_url(running_server_url: str, sandbox: Sandbox) -> str:
    """The URL of that server; its sandbox has no faults."""
    return running_server_url


def visit(url: str, sandbox: Sandbox) -> list[int]:
    """Land, open the form and look at the health check, each on a new connection; return the statuses."""
    token = {TOKEN_FIELD: factories.token(sandbox)}
    landing = requests.post(url, data=token, allow_redirects=False, timeout=AT_ONCE_SECONDS)
    form = requests.get(f"{url}signup", cookies=landing.cookies, timeout=AT_ONCE_SECONDS)
    return [landing.status_code, form.status_code, requests.get(f"{url}healthz", timeout=AT_ONCE_SECONDS).status_code]


@pytest.mark.parametrize("size", [PLACES - 5, 2 * PLACES], ids=["fewer than places", "more than places"])
@pytest.mark.parametrize("request_", CROWDS.values(), ids=CROWDS)
def test_buyer_is_served_at_once_beside_a_crowd(
    small_server_url: str, sandbox: Sandbox, request_: bytes, size: int
) -> None:
    with open_connections(small_server_url, request_, size):
        assert visit(small_server_url, sandbox) == [303, 200, 200]


def test_connection_that_waited_longest_gives_up_its_place(small_server_url: str) -> None:
    with ExitStack() as stack:
        connections: list[socket.socket] = []
        for _ in range(PLACES):
            connection = stack.enter_context(raw_http.open_connection(small_server_url))
            # The server counts a connection as waiting only a moment after its response has come: the second one gives
            # it the time to count the first.
            for _ in range(20 if len(connections) == 1 else 1):
                connection.sendall(HEALTH_REQUEST)
                assert raw_http.read_response(connection).status == 200
            connections.append(connection)
        *idle, newest = connections
        closed: list[socket.socket] = []
        # More than once: the places that an earlier test's crowd still has go first.
        for _ in range(3 * PLACES):
            newest.sendall(HEALTH_REQUEST)
            assert raw_http.read_response(newest).status == 200
            closed, _, _ = select.select(idle, [], [], 0)
            if closed:
                break

        assert closed == idle[:1]
        assert idle[0].recv(1) == b""


def test_crowd_does_not_end_a_request_that_is_being_served(small_server_url: str, sandbox: Sandbox) -> None:
    landing = f"{TOKEN_FIELD}={factories.token(sandbox)}".encode()
    sandbox.marketplace.change_faults(slow=1)

    with raw_http.open_connection(small_server_url) as connection:
        connection.sendall(post_bytes(landing))
        with open_connections(small_server_url, HEALTH_REQUEST, 3 * PLACES):
            assert raw_http.read_response(connection).status == 303


def test_one_of_too_many_large_requests_is_refused(small_server_url: str) -> None:
    half = post_bytes(b"[".ljust(2 * MAX_REQUEST_BYTES), path="/api/v1/usage", length=4 * MAX_REQUEST_BYTES)

    with open_connections(small_server_url, half, MAX_LARGE_REQUESTS + 1) as connections:
        refused, _, _ = select.select(connections, [], [], AT_ONCE_SECONDS)
        assert [raw_http.read_response(connection).status for connection in refused] == [401]


def test_clients_that_read_no_response_occupy_no_thread(small_server_url: str) -> None:
    pipelined = b"GET /static/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000

    with open_connections(small_server_url, pipelined, 5, receive_buffer_bytes=4096):
        for _ in range(300):
            assert requests.get(f"{small_server_url}healthz", timeout=AT_ONCE_SECONDS).ok


def test_buyer_is_served_while_addresses_flood_a_hanging_aws(
    sandbox: Sandbox, sqlite_template: Path, tmp_path: Path
) -> None:
    (tmp_path / "foyer.db").write_bytes(sqlite_template.read_bytes())
    environment = factories.environment(f"sqlite:///{tmp_path / 'foyer.db'}", sandbox.aws_url)
    options = {"TRUSTED_PROXIES": "1", "GUNICORN_CMD_ARGS": "--workers 1"}

    with app_processes.run_gunicorn({**environment, **options}) as url, ExitStack() as flood:
        # The first call to AWS takes longer than the others.
        assert visit(url, sandbox) == [303, 200, 200]
        sandbox.marketplace.change_faults(slow=60)
        for number in range(2 * THREADS):
            connection = flood.enter_context(raw_http.open_connection(url))
            address = f"X-Forwarded-For: 203.0.113.{number % 3}"
            connection.sendall(post_bytes(f"{TOKEN_FIELD}=made-up-{number}".encode(), address))
        page = requests.get(url, timeout=AT_ONCE_SECONDS / 2)
        statuses = visit(url, sandbox)
        sandbox.marketplace.change_faults(slow=0)

    assert page.ok
    assert statuses == [303, 200, 200]


def test_pipelined_requests_are_answered_in_order(small_server_url: str) -> None:
    requests_ = [HEALTH_REQUEST, post_bytes(b"a=1"), HEALTH_REQUEST]

    with raw_http.open_connection(small_server_url) as connection:
        connection.sendall(b"".join(requests_) + b"GET /healthz HTTP/1.0\r\n\r\n")
        responses = raw_http.read_to_end(connection)

    assert re.findall(r"HTTP/1\.\d (\d+)", responses) == ["200", "400", "200", "200"]


def test_client_that_asks_first_may_send_its_body(small_server_url: str, sandbox: Sandbox) -> None:
    body = f"{TOKEN_FIELD}={factories.token(sandbox)}".encode()

    with raw_http.open_connection(small_server_url) as connection:
        connection.sendall(post_bytes(b"", "Expect: 100-continue", length=len(body)))
        interim = connection.recv(1000)
        connection.sendall(body)
        response = raw_http.read_response(connection)

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert response.status == 303


def test_response_that_is_never_read_ends_in_time(tmp_path: Path) -> None:
    (tmp_path / "large_response.py").write_text(LARGE_RESPONSE_APP)
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    options = f"--workers 1 --threads 1 --graceful-timeout 1 --bind 127.0.0.1:{port} --pythonpath {tmp_path}"
    environment = {**app_processes.inherited_environment(), "TMPDIR": str(tmp_path)}

    with (
        app_processes.start_gunicorn([*options.split(), "large_response:app"], environment, url),
        open_connections(url, b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n", 1),
    ):
        response = requests.get(url, timeout=TOTAL_TIME_FACTOR + AT_ONCE_SECONDS)

    assert response.ok

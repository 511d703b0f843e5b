"""Hand-offs through the proxies of companies: names that they alone know, users, and what they refuse."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app import http_client
from app.http_client import RequestLimits
from tests.real.forward_proxies import NAME, PASSWORD, PRIVATE_NAME, USER, run_squid, run_tinyproxy
from tests.support import factories
from tests.support.certificates import self_signed
from tests.support.ports import free_port
from tests.support.raw_http_server import OK_STATUS_LINE, RawServer, error_code, serve_raw

REFUSED_NAME = "refused.acme.example"
LONG_REPLY = b"x" * 60_000


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    factories.clear_environment(monkeypatch)
    return monkeypatch


@pytest.fixture
def product(environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RawServer]:
    tls, certificate = self_signed(tmp_path, NAME, "localhost")
    environment.setenv("SSL_CERT_FILE", str(certificate))
    with serve_raw(OK_STATUS_LINE + b"Content-Length: 60000\r\n\r\n" + LONG_REPLY, tls=tls) as running:
        yield running


@pytest.fixture(scope="module")
def squid() -> Iterator[str]:
    with run_squid() as address:
        yield address


@pytest.fixture(scope="module")
def tinyproxy() -> Iterator[str]:
    with run_tinyproxy(REFUSED_NAME) as address:
        yield address


def post(url: str, body: bytes = b"{}", *, allow_private: bool = False) -> http_client.Reply:
    return http_client.post(url, body, {}, RequestLimits(allow_private=allow_private))


def test_name_that_only_squid_knows_is_reached(environment: pytest.MonkeyPatch, product: RawServer, squid: str) -> None:
    environment.setenv("HTTPS_PROXY", f"http://{squid}")
    body = b'{"notes": "' + b"x" * 200_000 + b'"}'

    reply = post(f"https://{NAME}:{product.port}/foyer", body)

    assert (reply.status, reply.body) == (200, LONG_REPLY)
    assert product.requests[0].endswith(body)


def test_private_address_is_refused_by_squid(environment: pytest.MonkeyPatch, squid: str) -> None:
    environment.setenv("HTTPS_PROXY", f"http://{squid}")

    assert error_code(lambda: post(f"https://{PRIVATE_NAME}/foyer")) == "proxy_403"


def test_product_that_squid_cannot_reach_has_squids_status(environment: pytest.MonkeyPatch, squid: str) -> None:
    environment.setenv("HTTPS_PROXY", f"http://{squid}")

    assert error_code(lambda: post(f"https://{NAME}:{free_port()}/foyer")) == "proxy_503"


def test_user_of_tinyproxy_is_let_through(environment: pytest.MonkeyPatch, product: RawServer, tinyproxy: str) -> None:
    environment.setenv("HTTPS_PROXY", f"http://{USER}:{PASSWORD}@{tinyproxy}")

    assert post(f"https://localhost:{product.port}/foyer", allow_private=True).body == LONG_REPLY


@pytest.mark.parametrize(
    ("user_info", "host", "code"),
    [
        ("", NAME, "proxy_407"),
        # tinyproxy 1.11 answers so to a wrong password.
        (f"{USER}:wrong@", NAME, "proxy_401"),
        (f"{USER}:{PASSWORD}@", REFUSED_NAME, "proxy_403"),
        (f"{USER}:{PASSWORD}@", "[::1]:1", "proxy_500"),
    ],
)
def test_refusal_of_tinyproxy_is_a_code_of_the_proxys(
    environment: pytest.MonkeyPatch, tinyproxy: str, user_info: str, host: str, code: str
) -> None:
    environment.setenv("HTTPS_PROXY", f"http://{user_info}{tinyproxy}")

    assert error_code(lambda: post(f"https://{host}/foyer", allow_private=True)) == code

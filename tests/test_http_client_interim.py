"""POST to a product that sends interim responses (1xx) before its reply: the reply is the first that is final."""

from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest

from app.http_client import Reply
from tests.support.certificates import self_signed
from tests.support.raw_http_server import OK_STATUS_LINE, SHORT_LIMITS, error_code, post_to, serve_raw

REPLY = OK_STATUS_LINE + b"Content-Length: 2\r\nRetry-After: 7\r\n\r\n{}"


def interim(*statuses: int) -> bytes:
    return b"".join(b"HTTP/1.1 %d Wait\r\nLink: </a.css>\r\nRetry-After: 9\r\n\r\n" % status for status in statuses)


def pause() -> Iterator[bytes]:
    return iter([b""])


@pytest.mark.parametrize(
    "statuses", [(100,), (102,), (103,), (199,), (103, 103), (100, 102, 103), (102,) * 500], ids=lambda s: str(s)[:20]
)
def test_interim_responses_are_read_past(statuses: tuple[int, ...]) -> None:
    with serve_raw(interim(*statuses) + REPLY) as product:
        assert post_to(product) == Reply(200, b"{}", 7)

    assert product.connections == 1


@pytest.mark.parametrize("status", [102, 103])
def test_reply_may_come_long_after_an_interim_response(status: int) -> None:
    with serve_raw(interim(status), pause(), interim(status), pause(), REPLY[:20], pause(), REPLY[20:]) as product:
        assert post_to(product) == Reply(200, b"{}", 7)


@pytest.mark.parametrize("status", [204, 301, 410, 503])
def test_status_after_an_interim_response_counts(status: int) -> None:
    with serve_raw(interim(103) + b"HTTP/1.1 %d Final\r\n\r\n" % status) as product:
        assert post_to(product).status == status


def test_interim_responses_are_read_past_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls, certificate = self_signed(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    with serve_raw(interim(102), pause(), interim(103) + REPLY, tls=tls) as product:
        product.host = "localhost"

        assert post_to(product) == Reply(200, b"{}", 7)


def test_interim_response_alone_is_no_reply() -> None:
    with serve_raw(interim(103)) as product:
        assert error_code(lambda: post_to(product)) == "unreadable"


@pytest.mark.parametrize("status", [100, 102, 103])
def test_endless_interim_responses_time_out(status: int) -> None:
    with serve_raw(repeat(interim(status))) as product:
        assert error_code(lambda: post_to(product, SHORT_LIMITS)) == "timeout"

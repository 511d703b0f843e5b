"""POST over TLS: the certificate has to be trusted, and for the product's own name."""

from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest

from tests.support.certificates import self_signed
from tests.support.raw_http_server import OK_STATUS_LINE, SHORT_LIMITS, error_code, post_to, serve_raw


def test_self_signed_certificate_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls, certificate = self_signed(tmp_path, "localhost")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(certificate))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))

    with serve_raw(OK_STATUS_LINE + b"\r\nabc", tls=tls) as product:
        product.host = "localhost"

        assert error_code(lambda: post_to(product)) == "tls"
    assert product.requests == []


def test_certificate_for_another_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls, certificate = self_signed(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    with serve_raw(OK_STATUS_LINE + b"Connection: close\r\n\r\nabc", tls=tls) as product:
        assert error_code(lambda: post_to(product)) == "tls"
        product.host = "localhost"
        assert post_to(product).body == b"abc"


@pytest.mark.parametrize(
    "pieces", [[OK_STATUS_LINE, repeat(b"X: a\r\n")], [OK_STATUS_LINE + b"\r\n", repeat(b"a")]], ids=["headers", "body"]
)
def test_dripping_product_times_out_over_tls(
    pieces: list[bytes | Iterator[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, certificate = self_signed(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    with serve_raw(*pieces, tls=tls) as product:
        product.host = "localhost"

        assert error_code(lambda: post_to(product, SHORT_LIMITS)) == "timeout"
    assert len(product.requests) == 1


def test_plain_http_behind_an_https_url_is_an_error() -> None:
    with serve_raw(OK_STATUS_LINE + b"\r\n") as product:
        product.scheme = "https"
        url = product.url

        assert error_code(lambda: post_to(url, SHORT_LIMITS)) in {"tls", "closed", "timeout"}

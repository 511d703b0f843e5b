"""Posts to a product over TLS: its certificate has to be one that is trusted, and of its own name."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import repeat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.raw_http_server import OK_STATUS_LINE, SHORT_LIMITS, error_code, post_to, serve_raw


def certified(folder: Path, *names: str) -> tuple[ssl.SSLContext, Path]:
    """Return what a server shows that certifies itself for the names, and the file that holds the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Acme")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = (
        builder.not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    shown, secret = folder / "certificate.pem", folder / "key.pem"
    shown.write_bytes(certificate.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(shown, secret)
    return context, shown


def test_a_product_that_certifies_itself_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls, shown = certified(tmp_path, "localhost")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(shown))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))

    with serve_raw(OK_STATUS_LINE + b"\r\nabc", tls=tls) as product:
        product.host = "localhost"

        assert error_code(lambda: post_to(product)) == "tls"
    assert product.requests == []


def test_a_product_shows_a_certificate_of_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls, shown = certified(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(shown))

    with serve_raw(OK_STATUS_LINE + b"Connection: close\r\n\r\nabc", tls=tls) as product:
        assert error_code(lambda: post_to(product)) == "tls"
        product.host = "localhost"
        assert post_to(product).body == b"abc"


@pytest.mark.parametrize(
    "pieces", [[OK_STATUS_LINE, repeat(b"X: a\r\n")], [OK_STATUS_LINE + b"\r\n", repeat(b"a")]], ids=["headers", "body"]
)
def test_a_product_that_drips_over_tls_is_cut_off_in_time(
    pieces: list[bytes | Iterator[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, shown = certified(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(shown))

    with serve_raw(*pieces, tls=tls) as product:
        product.host = "localhost"

        assert error_code(lambda: post_to(product, SHORT_LIMITS)) == "timeout"
    assert len(product.requests) == 1


def test_a_product_that_is_not_at_home_in_tls_is_told_apart() -> None:
    with serve_raw(OK_STATUS_LINE + b"\r\n") as product:
        product.scheme = "https"
        listener = product.url

        assert error_code(lambda: post_to(listener, SHORT_LIMITS)) in {"tls", "closed", "timeout"}

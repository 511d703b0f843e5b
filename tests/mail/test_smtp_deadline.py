"""SMTP servers that drip bytes: each blocks a sending thread until the deadline, not for ever."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from app.mail import smtp
from app.mail.message import MailUnavailable
from tests.support.certificates import self_signed
from tests.support.example_mail import MAIL, SENDER, TAG


@contextmanager
def serve_drips(start: bytes, drip: bytes, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Send the first client the start of a reply, then a drip every 0.1 s, for 5 seconds. Yield the port."""
    stopped = threading.Event()

    def serve() -> None:
        accepted, _ = listener.accept()
        with tls.wrap_socket(accepted, server_side=True) if tls else accepted as connection, suppress(OSError):
            connection.sendall(start)
            for _ in range(50):
                connection.sendall(b"" if stopped.wait(0.1) else drip)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stopped.set()
            thread.join()


def seconds_until_unavailable(url: str) -> float:
    started = time.monotonic()
    with pytest.raises(MailUnavailable):
        smtp.send(MAIL, SENDER, TAG, url, timeout_seconds=0.5)
    return time.monotonic() - started


@pytest.mark.parametrize(
    ("scheme", "start", "drip"),
    [
        ("smtp", b"220 ready\r\n", b"250-more\r\n"),
        ("smtp", b"", b"220-more\r\n"),
        ("smtp", b"", b"2"),
        ("smtps", b"\x16\x03\x03\x01\x00\x02", b"\x00"),
    ],
    ids=["command", "greeting", "one line", "TLS handshake"],
)
def test_dripping_server_is_unavailable_at_the_deadline(scheme: str, start: bytes, drip: bytes) -> None:
    with serve_drips(start, drip) as port:
        assert seconds_until_unavailable(f"{scheme}://127.0.0.1:{port}") < 3


def test_server_dripping_over_tls_is_unavailable_at_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, certificate = self_signed(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    with serve_drips(b"220 ready\r\n", b"250-more\r\n", tls) as port:
        assert seconds_until_unavailable(f"smtps://localhost:{port}") < 3

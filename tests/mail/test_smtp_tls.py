"""SMTP over TLS, against a real server on this machine: what it gets, and who gets nothing."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from app.mail import smtp
from app.mail.message import MailUnavailable
from tests.support.certificates import self_signed
from tests.support.example_mail import REMOTE_HOST, SENDER, send_by_smtp
from tests.support.smtp_server import FakeSmtpServer, serve_smtp


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """The mail server's TLS context, and the file with its certificate."""
    return self_signed(tmp_path_factory.mktemp("tls"), REMOTE_HOST, "localhost")


@pytest.fixture
def tls(certificate: tuple[ssl.SSLContext, Path]) -> ssl.SSLContext:
    return certificate[0]


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, certificate: tuple[ssl.SSLContext, Path]) -> None:
    """Make this machine trust the mail server's certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))


@pytest.mark.usefixtures("trusted")
def test_remote_server_gets_mail_and_password_over_tls(tls: ssl.SSLContext) -> None:
    logins: list[LoginPassword] = []

    def accept(_: SMTP, __: Session, ___: Envelope, ____: str, login: LoginPassword) -> AuthResult:
        logins.append(login)
        return AuthResult(success=True)

    server = FakeSmtpServer()
    with serve_smtp(server, tls_context=tls, require_starttls=True, auth_required=True, authenticator=accept) as port:
        send_by_smtp(port, url=f"smtp://acme%40mail:p%2Fw@{REMOTE_HOST}:{{}}")

    assert server.used_tls == [True]
    assert logins == [LoginPassword(b"acme@mail", b"p/w")]


@pytest.mark.usefixtures("trusted")
def test_smtps_uses_tls_from_the_first_byte(tls: ssl.SSLContext) -> None:
    server = FakeSmtpServer()
    with serve_smtp(server, ssl_context=tls) as port:
        send_by_smtp(port, url="smtps://localhost:{}")

    assert len(server.envelopes) == 1


def test_remote_server_without_tls_gets_nothing() -> None:
    server = FakeSmtpServer()
    with serve_smtp(server) as port, pytest.raises(MailUnavailable, match="SMTPNotSupportedError"):
        send_by_smtp(port, url=f"smtp://{REMOTE_HOST}:{{}}")

    assert server.envelopes == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_server_with_an_untrusted_certificate_gets_nothing(tls: ssl.SSLContext, scheme: str) -> None:
    server = FakeSmtpServer()
    options: dict[str, Any] = {"tls_context": tls} if scheme == "smtp" else {"ssl_context": tls}
    with serve_smtp(server, **options) as port, pytest.raises(MailUnavailable, match="SSLCertVerificationError"):
        send_by_smtp(port, url=f"{scheme}://{REMOTE_HOST}:{{}}")

    assert server.envelopes == []


@pytest.mark.usefixtures("trusted")
def test_refused_password_is_unavailable(tls: ssl.SSLContext) -> None:
    def reject(*_: object) -> AuthResult:
        return AuthResult(success=False, handled=False)

    options: dict[str, Any] = {"tls_context": tls, "auth_required": True, "authenticator": reject}
    with serve_smtp(FakeSmtpServer(), **options) as port:
        url = f"smtp://acme:wrong@{REMOTE_HOST}:{port}"
        for attempt in (lambda: send_by_smtp(port, url=url), lambda: smtp.check_connection(SENDER, url)):
            with pytest.raises(MailUnavailable, match="SMTPAuthenticationError"):
                attempt()

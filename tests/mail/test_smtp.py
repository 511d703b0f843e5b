"""SMTP: what a mail server gets, and what its answers mean for the mail. The server is a real one on this machine."""

import socket
import ssl
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.mail import message as mail_message
from app.mail import smtp
from app.mail.mailer import Mail, MailRefused, MailUnavailable
from app.mail.message import Sender
from tests.support.smtp_server import FakeSmtpServer, serve_smtp

TAG = "01930000-0000-7000-8000-000000000001"
MAIL = Mail("ada@gmail.com", "Hello", "As text", "<p>As HTML</p>", "help@acme.example")
SENDER = Sender("Acme", "start@acme.example")
# Another spelling of 127.0.0.1, which nobody takes for this machine: TLS is asked of it as of any other.
ELSEWHERE = "127.1"
# What mail programs read as two lines, though it is one, and of letters that addresses may have.
ENCODED = "=?utf-8?q?=0d=0aBcc=3a_eve=40evil.example?="


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for the mail server, signed by itself, and its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName(ELSEWHERE), x509.DNSName("localhost")])
    signed = builder.add_extension(names, critical=True).sign(key, hashes.SHA256())
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*plain))
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """What a mail server speaks TLS with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    """Whoever signed the certificate is trusted by this machine."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def send(port: int, sent: Mail = MAIL, sender: Sender = SENDER, url: str = "smtp://127.0.0.1:{}") -> str:
    return smtp.send(mail_message.normalise(sent), sender, TAG, url.format(port))


def test_a_mail_arrives_as_text_and_html_from_one_address_to_one() -> None:
    post = FakeSmtpServer()
    with serve_smtp(post) as port:
        message_id = send(port)

    [kept], message = post.envelopes, post.only_message()
    assert (kept.mail_from, kept.rcpt_tos) == ("start@acme.example", ["ada@gmail.com"])
    assert (message["From"], message["To"]) == ("Acme <start@acme.example>", "ada@gmail.com")
    assert (message["Subject"], message["Reply-To"]) == ("Hello", "help@acme.example")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == message_id == f"<{TAG}@acme.example>"
    assert abs(datetime.now(UTC) - message["Date"].datetime) < timedelta(minutes=1)
    assert [part.get_content().strip() for part in message.iter_parts()] == ["As text", "<p>As HTML</p>"]
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_words_of_any_script_travel_in_seven_bits_and_short_lines() -> None:
    post = FakeSmtpServer()
    long = "ä" * 3000
    with serve_smtp(post) as port:
        send(port, Mail("ada@straße.example", "Grüße 🎉", long, long), Sender("Ärzte, „Köln“", "start@acme.example"))

    content, message = post.only_content(), post.only_message()
    assert content.isascii()
    assert max(map(len, content.splitlines())) < 999
    assert message["To"] == "ada@xn--strae-oqa.example"
    assert message["Subject"] == "Grüße 🎉"
    assert message["From"].addresses[0].display_name == "Ärzte, „Köln“"
    assert [part.get_content().strip() for part in message.iter_parts()] == [long, long]


def test_an_international_address_asks_for_smtputf8_and_others_do_not() -> None:
    post = FakeSmtpServer()
    with serve_smtp(post, enable_SMTPUTF8=True) as port:
        send(port)
        send(port, Mail("ädä@acme.example", "Hello", "", ""))

    plain, international = post.envelopes
    assert "SMTPUTF8" not in plain.mail_options
    assert "SMTPUTF8" in international.mail_options
    assert international.rcpt_tos == ["ädä@acme.example"]


def test_an_international_address_is_refused_where_the_server_cannot_take_it() -> None:
    with (
        serve_smtp(FakeSmtpServer(), enable_SMTPUTF8=False) as port,
        pytest.raises(MailRefused, match="SMTPNotSupportedError"),
    ):
        send(port, Mail("ädä@acme.example", "Hello", "", ""))


@pytest.mark.parametrize(
    ("to", "subject", "reply_to"),
    [
        ("ada@gmail.com\r\nBcc: eve@evil.example", "Hello", None),
        ("ada@gmail.com", "Hello\r\nBcc: eve@evil.example", None),
        ("ada@gmail.com", "Hello\nBcc: eve@evil.example", None),
        ("ada@gmail.com", "Hello\u2028Bcc: eve@evil.example", None),
        ("ada@gmail.com", "Hello", "help@acme.example\r\nBcc: eve@evil.example"),
        ("ada@gmail.com,eve@evil.example", "Hello", None),
        ("ada@gmail.com>,<eve@evil.example", "Hello", None),
        (ENCODED + "@gmail.com", "Hello", None),
        ("ada@gmail.com", "Hello", ENCODED + "@gmail.com"),
    ],
)
def test_nobody_can_add_a_header_or_an_address(to: str, subject: str, reply_to: str | None) -> None:
    with pytest.raises(MailRefused, match="Malformed"):
        send(1, Mail(to, subject, "", "", reply_to))


@pytest.mark.parametrize(
    "written", [ENCODED, f"ä {ENCODED}", "=?utf-8?b?DQpCY2M6IGV2ZUBldmlsLmV4YW1wbGU=?=", "==??q?=?="]
)
def test_a_subject_is_read_as_it_was_written_and_not_as_what_it_may_stand_for(written: str) -> None:
    post = FakeSmtpServer()
    with serve_smtp(post) as port:
        send(port, Mail("ada@gmail.com", f"{written} registered", "As text", "<p>As HTML</p>"))

    message = post.only_message()
    assert message["Bcc"] is None
    assert message["Subject"].replace(" ", "") == f"{written}registered".replace(" ", "")


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ("550 5.1.1 <ada@gmail.com> is unknown", MailRefused, "SMTP 550 5.1.1"),
        ("554 ada@gmail.com is blocked", MailRefused, "SMTP 554"),
        ("450 4.2.1 ada@gmail.com is busy", MailUnavailable, "SMTP 450 4.2.1"),
        ("530 5.7.0 Authentication required", MailUnavailable, "SMTP 530 5.7.0"),
    ],
)
def test_what_the_server_says_is_told_without_the_address(
    command: str, answer: str, kind: type[Exception], code: str
) -> None:
    with serve_smtp(FakeSmtpServer({command: answer})) as port, pytest.raises(kind) as raised:
        send(port)

    assert str(raised.value) == code


def test_a_mail_that_was_taken_is_sent_also_where_the_server_hangs_up_without_a_good_bye() -> None:
    post = FakeSmtpServer(drops_connection=True)
    with serve_smtp(post) as port:
        send(port)

    assert len(post.envelopes) == 1


@pytest.mark.usefixtures("trusted")
def test_a_server_elsewhere_gets_mail_and_password_over_tls(tls: ssl.SSLContext) -> None:
    given: list[LoginPassword] = []

    def let_in(_: SMTP, __: Session, ___: Envelope, ____: str, login: LoginPassword) -> AuthResult:
        given.append(login)
        return AuthResult(success=True)

    post = FakeSmtpServer()
    with serve_smtp(post, tls_context=tls, require_starttls=True, auth_required=True, authenticator=let_in) as port:
        send(port, url=f"smtp://acme%40mail:p%2Fw@{ELSEWHERE}:{{}}")

    assert post.used_tls == [True]
    assert given == [LoginPassword(b"acme@mail", b"p/w")]


@pytest.mark.usefixtures("trusted")
def test_smtps_speaks_tls_from_the_first_byte(tls: ssl.SSLContext) -> None:
    post = FakeSmtpServer()
    with serve_smtp(post, ssl_context=tls) as port:
        send(port, url="smtps://localhost:{}")

    assert len(post.envelopes) == 1


def test_a_server_elsewhere_that_offers_no_tls_gets_nothing() -> None:
    post = FakeSmtpServer()
    with serve_smtp(post) as port, pytest.raises(MailUnavailable, match="SMTPNotSupportedError"):
        send(port, url=f"smtp://{ELSEWHERE}:{{}}")

    assert post.envelopes == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_server_that_nobody_vouches_for_gets_nothing(tls: ssl.SSLContext, scheme: str) -> None:
    post = FakeSmtpServer()
    options: dict[str, Any] = {"tls_context": tls} if scheme == "smtp" else {"ssl_context": tls}
    with serve_smtp(post, **options) as port, pytest.raises(MailUnavailable, match="SSLCertVerificationError"):
        send(port, url=f"{scheme}://{ELSEWHERE}:{{}}")

    assert post.envelopes == []


@pytest.mark.usefixtures("trusted")
def test_a_password_that_is_refused_is_to_be_mended_and_the_mail_tried_later(tls: ssl.SSLContext) -> None:
    def keep_out(*_: object) -> AuthResult:
        return AuthResult(success=False, handled=False)

    options: dict[str, Any] = {"tls_context": tls, "auth_required": True, "authenticator": keep_out}
    with serve_smtp(FakeSmtpServer(), **options) as port:
        url = f"smtp://acme:wrong@{ELSEWHERE}:{port}"
        for attempt in (lambda: send(port, url=url), lambda: smtp.check_connection(SENDER, url)):
            with pytest.raises(MailUnavailable, match="SMTPAuthenticationError"):
                attempt()


def test_where_nobody_listens_it_is_tried_later() -> None:
    with pytest.raises(MailUnavailable, match="ConnectionRefusedError"):
        send(1)


@pytest.mark.parametrize(
    ("scheme", "begins", "goes_on"),
    [
        ("smtp", b"220 ready\r\n", b"250-more\r\n"),
        ("smtp", b"", b"220-more\r\n"),
        ("smtps", b"\x16\x03\x03\x01\x00\x02", b"\x00"),
    ],
)
def test_a_server_that_trickles_does_not_hold_us_for_ever(scheme: str, begins: bytes, goes_on: bytes) -> None:
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle, args=(listener, done, begins, goes_on))
        thread.start()
        started = time.monotonic()
        with pytest.raises(MailUnavailable):
            smtp.send(MAIL, SENDER, TAG, f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", timeout_seconds=0.5)
        took = time.monotonic() - started
        done.set()
        thread.join()

    assert took < 3


def trickle(listener: socket.socket, done: threading.Event, begins: bytes, goes_on: bytes) -> None:
    """Begin an answer to the first caller, and go on with it for 5 seconds."""
    caller, _ = listener.accept()
    with caller:
        caller.sendall(begins)
        with suppress(OSError):
            for _ in range(50):
                caller.sendall(b"" if done.wait(0.1) else goes_on)

"""SMTP against a real server on this machine: what it receives, and what its replies mean for the mail."""

from datetime import UTC, datetime, timedelta

import pytest

from app.mail.message import Mail, MailRefused, MailUnavailable, Sender
from tests.support.example_mail import TAG, send_by_smtp
from tests.support.smtp_server import FakeSmtpServer, serve_smtp

# Mail programs decode this to two lines. Its characters are all allowed in addresses.
ENCODED_WORD = "=?utf-8?q?=0d=0aBcc=3a_eve=40evil.example?="


def test_mail_arrives_as_text_and_html_from_sender_to_recipient() -> None:
    server = FakeSmtpServer()
    with serve_smtp(server) as port:
        message_id = send_by_smtp(port)

    [envelope], message = server.envelopes, server.only_message()
    assert (envelope.mail_from, envelope.rcpt_tos) == ("start@acme.example", ["ada@gmail.com"])
    assert (message["From"], message["To"]) == ("Acme <start@acme.example>", "ada@gmail.com")
    assert (message["Subject"], message["Reply-To"]) == ("Hello", "help@acme.example")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == message_id == f"<{TAG}@acme.example>"
    assert abs(datetime.now(UTC) - message["Date"].datetime) < timedelta(minutes=1)
    assert [part.get_content().strip() for part in message.iter_parts()] == ["As text", "<p>As HTML</p>"]
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_non_ascii_text_is_sent_in_seven_bits_and_short_lines() -> None:
    server = FakeSmtpServer()
    text = "ä" * 3000
    mail = Mail("ada@straße.example", "Grüße 🎉", text, text)
    with serve_smtp(server) as port:
        send_by_smtp(port, mail, Sender("Ärzte, „Köln“", "start@acme.example"))

    content, message = server.only_content(), server.only_message()
    assert content.isascii()
    assert max(map(len, content.splitlines())) < 999
    assert message["To"] == "ada@xn--strae-oqa.example"
    assert message["Subject"] == "Grüße 🎉"
    assert message["From"].addresses[0].display_name == "Ärzte, „Köln“"
    assert [part.get_content().strip() for part in message.iter_parts()] == [text, text]


def test_only_a_non_ascii_address_asks_for_smtputf8() -> None:
    server = FakeSmtpServer()
    with serve_smtp(server, enable_SMTPUTF8=True) as port:
        send_by_smtp(port)
        send_by_smtp(port, Mail("ädä@acme.example", "Hello", "", ""))

    ascii_mail, non_ascii_mail = server.envelopes
    assert "SMTPUTF8" not in ascii_mail.mail_options
    assert "SMTPUTF8" in non_ascii_mail.mail_options
    assert non_ascii_mail.rcpt_tos == ["ädä@acme.example"]


def test_non_ascii_address_is_refused_without_smtputf8() -> None:
    with (
        serve_smtp(FakeSmtpServer(), enable_SMTPUTF8=False) as port,
        pytest.raises(MailRefused, match="SMTPNotSupportedError"),
    ):
        send_by_smtp(port, Mail("ädä@acme.example", "Hello", "", ""))


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
        (ENCODED_WORD + "@gmail.com", "Hello", None),
        ("ada@gmail.com", "Hello", ENCODED_WORD + "@gmail.com"),
    ],
)
def test_mail_that_injects_a_header_or_an_address_is_refused(to: str, subject: str, reply_to: str | None) -> None:
    with pytest.raises(MailRefused, match="Malformed"):
        send_by_smtp(1, Mail(to, subject, "", "", reply_to))


@pytest.mark.parametrize(
    "text", [ENCODED_WORD, f"ä {ENCODED_WORD}", "=?utf-8?b?DQpCY2M6IGV2ZUBldmlsLmV4YW1wbGU=?=", "==??q?=?="]
)
def test_encoded_word_in_a_subject_is_not_decoded(text: str) -> None:
    server = FakeSmtpServer()
    with serve_smtp(server) as port:
        send_by_smtp(port, Mail("ada@gmail.com", f"{text} registered", "As text", "<p>As HTML</p>"))

    message = server.only_message()
    assert message["Bcc"] is None
    assert message["Subject"].replace(" ", "") == f"{text}registered".replace(" ", "")


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        ("550 5.1.1 <ada@gmail.com> is unknown", MailRefused, "SMTP 550 5.1.1"),
        ("554 ada@gmail.com is blocked", MailRefused, "SMTP 554"),
        ("450 4.2.1 ada@gmail.com is busy", MailUnavailable, "SMTP 450 4.2.1"),
        ("530 5.7.0 Authentication required", MailUnavailable, "SMTP 530 5.7.0"),
    ],
)
def test_error_code_leaves_out_the_address(command: str, reply: str, error: type[Exception], code: str) -> None:
    with serve_smtp(FakeSmtpServer({command: reply})) as port, pytest.raises(error) as raised:
        send_by_smtp(port)

    assert str(raised.value) == code


def test_accepted_mail_is_sent_even_if_quit_fails() -> None:
    server = FakeSmtpServer(drops_connection=True)
    with serve_smtp(server) as port:
        send_by_smtp(port)

    assert len(server.envelopes) == 1


def test_refused_connection_is_unavailable() -> None:
    with pytest.raises(MailUnavailable, match="ConnectionRefusedError"):
        send_by_smtp(1)

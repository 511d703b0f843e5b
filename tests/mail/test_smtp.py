"""SMTP against a real server on this machine: what it receives, and what its replies mean for the mail."""

from datetime import UTC, datetime, timedelta

import pytest

from app.mail.message import Mail, MailRefused, MailUnavailable, Sender, SenderRefused
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
        ("550 5.6.7 ada@gmail.com needs SMTPUTF8", MailRefused, "SMTP 550 5.6.7"),
        ("552 the mail for ada@gmail.com is too large", MailRefused, "SMTP 552"),
        ("554 5.2.252 SendAsDenied; start@acme.example", SenderRefused, "SMTP 554 5.2.252"),
        ("450 4.2.1 ada@gmail.com is busy", MailUnavailable, "SMTP 450 4.2.1"),
        ("530 5.7.0 Authentication required", MailUnavailable, "SMTP 530 5.7.0"),
    ],
)
def test_error_code_leaves_out_the_address(command: str, reply: str, error: type[Exception], code: str) -> None:
    with serve_smtp(FakeSmtpServer({command: reply})) as port, pytest.raises(error) as raised:
        send_by_smtp(port)

    assert str(raised.value) == code


# As Exchange, Exchange Online, Postfix, Exim, qmail, Gmail and other servers say it.
@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    "reply",
    [
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
        "554 5.2.252 SendAsDenied; start@acme.example not allowed to send as start@acme.example",
        "553 5.7.1 <start@acme.example>: Sender address rejected: not owned by user acme",
        "554 5.7.1 <ada@gmail.com>: Relay access denied",
        "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
        "550 relaying denied",
        "550 relay not permitted",
        "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
        "550 Sender verify failed",
        "550 5.7.26 Unauthenticated email from acme.example is not accepted due to domain's DMARC policy.",
        "550 5.7.1 You are not authorized to send mail from this address",
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
    ],
)
def test_refusal_of_the_sender_waits_for_the_seller(command: str, reply: str) -> None:
    with serve_smtp(FakeSmtpServer({command: reply})) as port, pytest.raises(SenderRefused) as raised:
        send_by_smtp(port)

    assert isinstance(raised.value, MailUnavailable)


@pytest.mark.parametrize("reply", ["550 5.1.0 rejected", "501 must be the authorized user", "550 no", "553 5.1.3 no"])
def test_any_refusal_right_after_the_sender_is_one_of_the_sender(reply: str) -> None:
    with serve_smtp(FakeSmtpServer({"MAIL": reply})) as port, pytest.raises(SenderRefused):
        send_by_smtp(port)


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("RCPT", "550 5.1.1 <ada@gmail.com>: Recipient address rejected: User unknown in relay recipient table"),
        ("RCPT", "550 5.1.1 The email account that you tried to reach does not exist"),
        ("RCPT", "550 No such user here"),
        ("RCPT", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"),
        ("RCPT", "552 5.2.2 Mailbox full"),
        ("RCPT", "554 ada@gmail.com is blocked"),
        ("DATA", "554 5.7.1 Message rejected as spam"),
        ("DATA", "552 5.3.4 Message too big"),
        ("MAIL", "552 5.3.4 Message size exceeds fixed maximum message size"),
    ],
)
def test_refusal_of_the_recipient_or_the_mail_is_final(command: str, reply: str) -> None:
    with serve_smtp(FakeSmtpServer({command: reply})) as port, pytest.raises(MailRefused):
        send_by_smtp(port)


def test_accepted_mail_is_sent_even_if_quit_fails() -> None:
    server = FakeSmtpServer(drops_connection=True)
    with serve_smtp(server) as port:
        send_by_smtp(port)

    assert len(server.envelopes) == 1


def test_refused_connection_is_unavailable() -> None:
    with pytest.raises(MailUnavailable, match="ConnectionRefusedError"):
        send_by_smtp(1)

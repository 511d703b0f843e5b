"""Sends one mail through the SMTP server at `SMTP_URL`."""

import re
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from io import BufferedReader, RawIOBase
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from app.mail.message import Mail, MailRefused, MailUnavailable, Sender, SenderRefused

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TIMEOUT_SECONDS = 10
CONNECT_TIMEOUT_SECONDS = 3
DEFAULT_PORTS = {"smtp": 587, "smtps": 465}
# Seven bits and short lines: every server accepts these.
MESSAGE_POLICY = policy.SMTP.clone(cte_type="7bit")
# https://www.rfc-editor.org/rfc/rfc3463
ENHANCED_STATUS_CODE = re.compile(rb"\s*([245]\.\d{1,3}\.\d{1,3})\b")
# The server wants TLS or a password first: the settings are wrong, not the mail.
ACCESS_DENIED_CODES = {530, 534, 535, 538}
# So is a refusal of the sender, which the seller can change. Many servers tell it only after the recipient (as Postfix
# does: https://www.postfix.org/SMTPD_ACCESS_README.html#timing) or the text (as Exchange Online does).
SENDER_REFUSED_CODES = ("5.1.7", "5.1.8", "5.2.252", "5.7.60")
SENDER_REFUSED_TEXT = re.compile(
    rb"send[ -]?as|send (?:e?-?mails?|messages?) (?:as|from|on behalf)|on behalf of|sender|not owned by|authenticat"
    rb"|not authori[sz]ed to (?:send|use|submit)|relay(?:ing)?\b.{0,20}(?:denied|prohibited|not (?:allowed|permitted))"
    rb"|(?:unable|not (?:allowed|permitted)) to relay|rcpthosts|client (?:host|was|does|is)|blocked using",
    re.IGNORECASE,
)
# After the recipient: its address or mailbox. At any time: this mail, too large or with an address in UTF-8.
RECIPIENT_REFUSED_CODE = re.compile(r"5\.(?:1\.(?:[0-69]|1\d)|2\.[0-4])$")
MAIL_REFUSED_CODE, TOO_LARGE = re.compile(r"5\.(?:3\.4|6\.\d+)$"), 552
CONNECTION_ERRORS = (smtplib.SMTPAuthenticationError, smtplib.SMTPHeloError, smtplib.SMTPConnectError)
# smtplib raises these for a reply, for the connection, and for a password that is not ASCII.
SMTP_ERRORS = (smtplib.SMTPException, OSError, UnicodeError)


def send(mail: Mail, sender: Sender, tag: str, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> str:
    """Send the mail and return its Message-ID, the same one for the same tag.

    Raises:
        MailRefused: the server refused the mail or its recipient for good.
        MailUnavailable: the server was busy or too slow, or refused the connection, the password or the sender.
    """
    message = build_message(mail, sender, tag)
    try:
        with _connect(urlsplit(url), sender, timeout_seconds) as server:
            server.send_message(message, sender.address, [mail.to])
    except SMTP_ERRORS as error:
        raise _translate_error(error) from error
    return str(message["Message-ID"])


def check_connection(sender: Sender, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
    """Begin to send a mail from the sender to itself, with TLS and the password, then disconnect. No mail is sent.

    Raises:
        SenderRefused: the server takes no mail from this sender.
        MailUnavailable: the server was too slow, or refused the connection or the password.
    """
    try:
        with _connect(urlsplit(url), sender, timeout_seconds) as server:
            server.ehlo_or_helo_if_needed()
            for command in (server.mail, server.rcpt):
                status, text = command(sender.address)
                # The sender's address need not take mail, so only what is said of it as a sender counts.
                if status >= 500 and _is_about_sender(status, text, after_mail=command == server.mail):
                    raise smtplib.SMTPSenderRefused(status, text, sender.address)
            server.rset()
    except SMTP_ERRORS as error:
        code = _translate_error(error).code
        raise (SenderRefused if isinstance(error, smtplib.SMTPSenderRefused) else MailUnavailable)(code) from error


def build_message(mail: Mail, sender: Sender, tag: str) -> EmailMessage:
    """Return the MIME message that is sent for the mail."""
    message = EmailMessage(MESSAGE_POLICY)
    message["From"] = _build_address(sender.address, sender.name)
    message["To"] = _build_address(mail.to)
    message["Subject"] = mail.subject
    if mail.reply_to:
        message["Reply-To"] = _build_address(mail.reply_to)
    message["Date"] = format_datetime(localtime())
    # A mail that is sent again, because the first reply was lost, keeps its id: mail servers can drop the duplicate.
    message["Message-ID"] = f"<{tag}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def _build_address(address: str, name: str = "") -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)


class _DeadlineReader(RawIOBase):
    """Reads from a socket until a deadline on the monotonic clock, then raises TimeoutError.

    A socket's own timeout starts again with each byte: a server that drips bytes would block the thread for ever.
    """

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        remaining_seconds = self._deadline - time.monotonic()
        if remaining_seconds <= 0:
            raise TimeoutError
        self._connection.settimeout(remaining_seconds)
        return self._connection.recv_into(buffer)


class _DeadlineSMTP(smtplib.SMTP):
    """A connection with one deadline for all replies, commands and TLS handshakes together."""

    def __init__(self, host: str, port: int, name: str, timeout_seconds: float, tls: ssl.SSLContext | None) -> None:
        self._deadline = time.monotonic() + timeout_seconds
        self._tls = tls
        # Without a name, smtplib looks this machine's up, which takes seconds where DNS does not have it.
        super().__init__(host, port, name, timeout=timeout_seconds)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock:
            self.file = BufferedReader(_DeadlineReader(self.sock, self._deadline))
        reply = super().getreply()
        self._limit_next_call(self.sock)
        return reply

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        # A name can have several addresses, and this limit is for each of them.
        connection = socket.create_connection((host, port), min(CONNECT_TIMEOUT_SECONDS, timeout))
        self._limit_next_call(connection)
        return self._tls.wrap_socket(connection, server_hostname=host) if self._tls else connection

    def _limit_next_call(self, connection: socket.socket | None) -> None:
        # Python limits a TLS handshake or a sendall as a whole. Past the deadline only the next read raises: a reply
        # that came in time counts. 0 would make the socket non-blocking.
        if connection:
            connection.settimeout(max(self._deadline - time.monotonic(), 0.001))


@contextmanager
def _connect(url: SplitResult, sender: Sender, timeout_seconds: float) -> Iterator[smtplib.SMTP]:
    host, port = url.hostname or "", url.port or DEFAULT_PORTS[url.scheme]
    uses_smtps = url.scheme == "smtps"
    # Only where it is used: it reads all of the machine's authorities, which takes longer than a mail.
    tls = ssl.create_default_context() if uses_smtps or not is_loopback(host) else None
    with closing(_DeadlineSMTP(host, port, sender.domain, timeout_seconds, tls if uses_smtps else None)) as server:
        if tls and not uses_smtps:
            server.starttls(context=tls)
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        yield server
        # The server has accepted the mail by now: an error from QUIT must not fail it.
        with suppress(*SMTP_ERRORS):
            server.quit()


def is_loopback(host: str) -> bool:
    """Return whether traffic to the host stays on this machine, and so needs no TLS."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _translate_error(error: Exception) -> MailRefused | MailUnavailable:
    reply = _server_reply(error)
    if reply is None:
        lacks_smtputf8 = isinstance(error, smtplib.SMTPNotSupportedError) and "SMTPUTF8" in str(error)
        return (MailRefused if lacks_smtputf8 else MailUnavailable)(type(error).__name__)
    status, text = reply
    enhanced = ENHANCED_STATUS_CODE.match(text)
    # The rest of the reply may repeat the address.
    code = f"SMTP {status} {enhanced[1].decode()}" if enhanced else f"SMTP {status}"
    if not 500 <= status < 600 or status in ACCESS_DENIED_CODES:
        return MailUnavailable(code)
    is_about_sender = _is_about_sender(status, text, after_mail=isinstance(error, smtplib.SMTPSenderRefused))
    return (SenderRefused if is_about_sender else MailRefused)(code)


def _is_about_sender(status: int, text: bytes, *, after_mail: bool) -> bool:
    """Return whether the server refuses the sender or its settings, and not this mail or its recipient."""
    enhanced = ENHANCED_STATUS_CODE.match(text)
    code = enhanced[1].decode() if enhanced else ""
    if MAIL_REFUSED_CODE.match(code) or (not code and status == TOO_LARGE):
        return False
    if after_mail or code in SENDER_REFUSED_CODES:
        return True
    return not RECIPIENT_REFUSED_CODE.match(code) and bool(SENDER_REFUSED_TEXT.search(text))


def _server_reply(error: Exception) -> tuple[int, bytes] | None:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        # Each mail has one recipient.
        return next(iter(error.recipients.values()))
    if not isinstance(error, smtplib.SMTPResponseException) or isinstance(error, CONNECTION_ERRORS):
        return None
    text = error.smtp_error
    return error.smtp_code, text if isinstance(text, bytes) else text.encode()

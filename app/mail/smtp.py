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

from app.mail.message import Mail, MailRefused, MailUnavailable, Sender

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
CONNECTION_ERRORS = (smtplib.SMTPAuthenticationError, smtplib.SMTPHeloError, smtplib.SMTPConnectError)
# smtplib raises these for a reply, for the connection, and for a password that is not ASCII.
SMTP_ERRORS = (smtplib.SMTPException, OSError, UnicodeError)


def send(mail: Mail, sender: Sender, tag: str, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> str:
    """Send the mail and return its Message-ID, the same one for the same tag.

    Raises:
        MailRefused: the server refused the mail, its recipient or its sender for good.
        MailUnavailable: the server was busy or too slow, or refused the connection or the password.
    """
    message = build_message(mail, sender, tag)
    try:
        with _connect(urlsplit(url), sender, timeout_seconds) as server:
            server.send_message(message, sender.address, [mail.to])
    except SMTP_ERRORS as error:
        raise _translate_error(error) from error
    return str(message["Message-ID"])


def check_connection(sender: Sender, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
    """Connect as if to send a mail, with TLS and the password, then disconnect.

    Raises:
        MailUnavailable: the server was too slow, or refused the connection or the password.
    """
    try:
        with _connect(urlsplit(url), sender, timeout_seconds) as server:
            server.ehlo_or_helo_if_needed()
    except SMTP_ERRORS as error:
        raise MailUnavailable(_translate_error(error).code) from error


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
    context = ssl.create_default_context()
    tls = context if url.scheme == "smtps" else None
    with closing(_DeadlineSMTP(host, port, sender.domain, timeout_seconds, tls)) as server:
        if url.scheme == "smtp" and not is_loopback(host):
            server.starttls(context=context)
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
    return MailRefused(code) if 500 <= status < 600 and status not in ACCESS_DENIED_CODES else MailUnavailable(code)


def _server_reply(error: Exception) -> tuple[int, bytes] | None:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        # Each mail has one recipient.
        return next(iter(error.recipients.values()))
    if not isinstance(error, smtplib.SMTPResponseException) or isinstance(error, CONNECTION_ERRORS):
        return None
    text = error.smtp_error
    return error.smtp_code, text if isinstance(text, bytes) else text.encode()

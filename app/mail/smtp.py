"""SMTP: sends one mail through the server that `SMTP_URL` names."""

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit

from app.mail.message import Mail, MailRefused, MailUnavailable, Sender

TIMEOUT_SECONDS = 10
CONNECT_TIMEOUT_SECONDS = 3
DEFAULT_PORTS = {"smtp": 587, "smtps": 465}
# Seven bits and short lines, which every server takes.
MESSAGE_POLICY = policy.SMTP.clone(cte_type="7bit")
# https://www.rfc-editor.org/rfc/rfc3463
ENHANCED_STATUS_CODE = re.compile(rb"\s*([245]\.\d{1,3}\.\d{1,3})\b")
# The server wants TLS or a password first: that is said of the settings, not of the mail.
ACCESS_DENIED_CODES = {530, 534, 535, 538}
# What smtplib raises of the server, of the connection, and of a password that is not ASCII.
SMTP_ERRORS = (smtplib.SMTPException, OSError, UnicodeError)


def send(mail: Mail, sender: Sender, tag: str, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> str:
    """Send the mail and return its Message-ID, the same one for the same tag.

    Raises:
        MailRefused: the server will never take it, for that address or from that one.
        MailUnavailable: the server did not take it within so many seconds, will not let us in, or is busy.
    """
    message = build_message(mail, sender, tag)
    try:
        with _connect(urlsplit(url), sender, timeout_seconds) as server:
            server.send_message(message, sender.address, [mail.to])
    except SMTP_ERRORS as error:
        raise _translate_error(error) from error
    return str(message["Message-ID"])


def check_connection(sender: Sender, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
    """Connect as if to send a mail, with TLS and the password, and hang up.

    Raises:
        MailUnavailable: the server did not let us in within so many seconds.
    """
    try:
        with _connect(urlsplit(url), sender, timeout_seconds) as server:
            server.ehlo_or_helo_if_needed()
    except SMTP_ERRORS as error:
        raise MailUnavailable(_translate_error(error).code) from error


def build_message(mail: Mail, sender: Sender, tag: str) -> EmailMessage:
    """Return the mail as it travels."""
    message = EmailMessage(MESSAGE_POLICY)
    message["From"] = _build_address(sender.address, sender.name)
    message["To"] = _build_address(mail.to)
    message["Subject"] = mail.subject
    if mail.reply_to:
        message["Reply-To"] = _build_address(mail.reply_to)
    message["Date"] = format_datetime(localtime())
    # Sent once more because the first answer was lost, it is the same mail to whoever sorts them.
    message["Message-ID"] = f"<{tag}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def _build_address(address: str, name: str = "") -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)


class _DeadlineSMTP(smtplib.SMTP):
    """A connection that ends after so many seconds, from its greeting on and whatever the server says meanwhile."""

    def __init__(
        self, host: str, port: int, name: str, timeout_seconds: float, tls_context: ssl.SSLContext | None
    ) -> None:
        self._tls_context = tls_context
        self._socket_copy: socket.socket | None = None
        self._is_expired = False
        # A timeout goes for each answer; a server that sends a little now and then would keep us for ever.
        self._deadline_timer = threading.Timer(timeout_seconds, self._expire)
        self._deadline_timer.daemon = True
        self._deadline_timer.start()
        try:
            # Our own name would be looked up, which takes seconds where nobody knows it.
            super().__init__(host, port, name, timeout=timeout_seconds)
        except BaseException:
            self.close()
            raise

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        # Each of the name's addresses may be silent.
        connected = socket.create_connection((host, port), min(CONNECT_TIMEOUT_SECONDS, timeout))
        connected.settimeout(timeout)
        # TLS takes the socket itself away, and would want to say good-bye first.
        self._socket_copy = connected.dup()
        if self._is_expired:
            connected.close()
            raise TimeoutError
        return self._tls_context.wrap_socket(connected, server_hostname=host) if self._tls_context else connected

    def close(self) -> None:
        """Hang up."""
        self._deadline_timer.cancel()
        super().close()
        if self._socket_copy:
            self._socket_copy.close()

    def _expire(self) -> None:
        self._is_expired = True
        if self._socket_copy:
            with suppress(OSError):
                self._socket_copy.shutdown(socket.SHUT_RDWR)


@contextmanager
def _connect(url: SplitResult, sender: Sender, timeout_seconds: float) -> Iterator[smtplib.SMTP]:
    host, port = url.hostname or "", url.port or DEFAULT_PORTS[url.scheme]
    context = ssl.create_default_context()
    with closing(
        _DeadlineSMTP(host, port, sender.domain, timeout_seconds, context if url.scheme == "smtps" else None)
    ) as server:
        if url.scheme == "smtp" and not is_loopback(host):
            server.starttls(context=context)
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        yield server
        # The mail is on its way, whatever becomes of the good-bye.
        with suppress(*SMTP_ERRORS):
            server.quit()


def is_loopback(host: str) -> bool:
    """Return whether what is sent there stays on this machine, where nobody else can read it."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _translate_error(error: Exception) -> MailRefused | MailUnavailable:
    reply = _server_reply(error)
    if reply is None:
        kind = MailRefused if _lacks_smtputf8(error) else MailUnavailable
        return kind(type(error).__name__)
    status, said = reply
    enhanced = ENHANCED_STATUS_CODE.match(said)
    # The rest of what the server said may repeat the address.
    code = f"SMTP {status} {enhanced[1].decode()}" if enhanced else f"SMTP {status}"
    return MailRefused(code) if 500 <= status < 600 and status not in ACCESS_DENIED_CODES else MailUnavailable(code)


def _server_reply(error: Exception) -> tuple[int, bytes] | None:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        # One mail has one recipient.
        return next(iter(error.recipients.values()))
    if isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPHeloError | smtplib.SMTPConnectError):
        return None
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return error.smtp_code, said if isinstance(said, bytes) else said.encode()
    return None


def _lacks_smtputf8(error: Exception) -> bool:
    return isinstance(error, smtplib.SMTPNotSupportedError) and "SMTPUTF8" in str(error)

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

SECONDS = 10
CONNECT_SECONDS = 3
PORTS = {"smtp": 587, "smtps": 465}
# Seven bits and short lines, which every server takes.
POLICY = policy.SMTP.clone(cte_type="7bit")
# https://www.rfc-editor.org/rfc/rfc3463
ENHANCED = re.compile(rb"\s*([245]\.\d{1,3}\.\d{1,3})\b")
# The server wants TLS or a password first: that is said of the settings, not of the mail.
NOT_LET_IN = {530, 534, 535, 538}
# What smtplib raises of the server, of the connection, and of a password that is not ASCII.
FAULTS = (smtplib.SMTPException, OSError, UnicodeError)


def send(mail: Mail, sender: Sender, tag: str, url: str, seconds: float = SECONDS) -> str:
    """Send the mail and return its Message-ID, the same one for the same tag.

    Raises:
        MailRefused: the server will never take it, for that address or from that one.
        MailUnavailable: the server did not take it within so many seconds, will not let us in, or is busy.
    """
    message = composed(mail, sender, tag)
    try:
        with _connected(urlsplit(url), sender, seconds) as server:
            server.send_message(message, sender.address, [mail.to])
    except FAULTS as error:
        raise _named(error) from error
    return str(message["Message-ID"])


def knock(sender: Sender, url: str, seconds: float = SECONDS) -> None:
    """Connect as if to send a mail, with TLS and the password, and hang up.

    Raises:
        MailUnavailable: the server did not let us in within so many seconds.
    """
    try:
        with _connected(urlsplit(url), sender, seconds) as server:
            server.ehlo_or_helo_if_needed()
    except FAULTS as error:
        raise MailUnavailable(_named(error).code) from error


def composed(mail: Mail, sender: Sender, tag: str) -> EmailMessage:
    """Return the mail as it travels."""
    message = EmailMessage(POLICY)
    message["From"] = _address(sender.address, sender.name)
    message["To"] = _address(mail.to)
    message["Subject"] = mail.subject
    if mail.reply_to:
        message["Reply-To"] = _address(mail.reply_to)
    message["Date"] = format_datetime(localtime())
    # Sent once more because the first answer was lost, it is the same mail to whoever sorts them.
    message["Message-ID"] = f"<{tag}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def _address(address: str, name: str = "") -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)


class _Line(smtplib.SMTP):
    """A connection that ends after so many seconds, from its greeting on and whatever the server says meanwhile."""

    def __init__(self, host: str, port: int, name: str, seconds: float, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._handle: socket.socket | None = None
        self._is_cut = False
        # A timeout goes for each answer; a server that sends a little now and then would keep us for ever.
        self._watch = threading.Timer(seconds, self._cut)
        self._watch.daemon = True
        self._watch.start()
        try:
            # Our own name would be looked up, which takes seconds where nobody knows it.
            super().__init__(host, port, name, timeout=seconds)
        except BaseException:
            self.close()
            raise

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        # Each of the name's addresses may be silent.
        connected = socket.create_connection((host, port), min(CONNECT_SECONDS, timeout))
        connected.settimeout(timeout)
        # TLS takes the socket itself away, and would want to say good-bye first.
        self._handle = connected.dup()
        if self._is_cut:
            connected.close()
            raise TimeoutError
        return self._tls.wrap_socket(connected, server_hostname=host) if self._tls else connected

    def close(self) -> None:
        """Hang up."""
        self._watch.cancel()
        super().close()
        if self._handle:
            self._handle.close()

    def _cut(self) -> None:
        self._is_cut = True
        if self._handle:
            with suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)


@contextmanager
def _connected(url: SplitResult, sender: Sender, seconds: float) -> Iterator[smtplib.SMTP]:
    host, port = url.hostname or "", url.port or PORTS[url.scheme]
    context = ssl.create_default_context()
    with closing(_Line(host, port, sender.domain, seconds, context if url.scheme == "smtps" else None)) as server:
        if url.scheme == "smtp" and not is_this_machine(host):
            server.starttls(context=context)
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        yield server
        # The mail is on its way, whatever becomes of the good-bye.
        with suppress(*FAULTS):
            server.quit()


def is_this_machine(host: str) -> bool:
    """Return whether what is sent there stays on this machine, where nobody else can read it."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _named(error: Exception) -> MailRefused | MailUnavailable:
    reply = _reply(error)
    if reply is None:
        kind = MailRefused if _lacks_smtputf8(error) else MailUnavailable
        return kind(type(error).__name__)
    status, said = reply
    enhanced = ENHANCED.match(said)
    # The rest of what the server said may repeat the address.
    code = f"SMTP {status} {enhanced[1].decode()}" if enhanced else f"SMTP {status}"
    return MailRefused(code) if 500 <= status < 600 and status not in NOT_LET_IN else MailUnavailable(code)


def _reply(error: Exception) -> tuple[int, bytes] | None:
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

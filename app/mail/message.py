"""A mail, its sender, and the checks and errors that both transports share."""

import re
from dataclasses import dataclass

from app.errors import FoyerError

# An address never needs these characters. They would let one address add others, or a header.
FORBIDDEN_IN_ADDRESS = r"\s\x00-\x1f\x7f-\x9f<>()\[\],:;\\\"@"
# Starts an encoded word (RFC 2047). Python and mail programs decode it, and it can contain line breaks.
ENCODED_WORD_START = "=?"
ADDRESS_PATTERN = re.compile(
    rf"(?!.*{re.escape(ENCODED_WORD_START)})(?P<local>[^{FORBIDDEN_IN_ADDRESS}]+)@(?P<domain>[^{FORBIDDEN_IN_ADDRESS}]+)"
)
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class MailRefused(FoyerError):
    """The mail can never be sent. `code` gives the reason, without the address."""


class MailUnavailable(FoyerError):
    """The mail could not be sent now, but may be later. `code` gives the reason, without the address."""


class SenderRefused(MailUnavailable):
    """`MAIL_FROM` may not be used here: no mail will be sent until the seller has changed that."""


@dataclass(frozen=True)
class Mail:
    """One mail to one address. Replies go to `reply_to`, or to the sender."""

    to: str
    subject: str
    text: str
    html: str
    reply_to: str | None = None


@dataclass(frozen=True)
class Sender:
    """The From of a mail. The name may be empty."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """The part after the address's @."""
        return self.address.rpartition("@")[2]


def parse_sender(mail_from: str) -> Sender:
    """Parse `MAIL_FROM`: an address, or a name and an address in angle brackets."""
    name, bracket, address = mail_from.removesuffix(">").rpartition("<")
    return Sender(name.strip().strip('"') if bracket else "", address)


def normalise(mail: Mail) -> Mail:
    """Return the mail with ASCII domains, and a subject in which nothing reads as an encoded word.

    Raises:
        MailRefused: an address is malformed, or the subject has control characters such as a line break.
    """
    if CONTROL_CHARACTERS.search(mail.subject):
        raise MailRefused("SubjectMalformed")
    reply_to = encode_domain(mail.reply_to) if mail.reply_to else None
    subject = mail.subject.replace(ENCODED_WORD_START, " ".join(ENCODED_WORD_START))
    return Mail(encode_domain(mail.to), subject, mail.text, mail.html, reply_to)


def encode_domain(address: str) -> str:
    """Return the address with its domain in ASCII, as DNS has it.

    Raises:
        MailRefused: the text is not one address, or its domain has no ASCII form.
    """
    match = ADDRESS_PATTERN.fullmatch(address)
    if match is None:
        raise MailRefused("AddressMalformed")
    return address if match["domain"].isascii() else f"{match['local']}@{_encode_punycode(match['domain'])}"


def is_valid_reply_to(address: str) -> bool:
    """Return whether both transports can send a mail with the address as Reply-To."""
    try:
        return encode_domain(address).isascii()
    except MailRefused:
        return False


def _encode_punycode(domain: str) -> str:
    # Python's own codec follows IDNA 2003, which turns straße into strasse: a different domain.
    import idna  # noqa: PLC0415  # few mails need it

    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        raise MailRefused("DomainMalformed") from None

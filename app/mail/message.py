"""One mail, whom it comes from, and what can keep it from being sent."""

import re
from dataclasses import dataclass

from app.errors import FoyerError

# What nobody's address has, but a forged list of addresses or a forged header would.
FORBIDDEN_IN_ADDRESS = r"\s\x00-\x1f\x7f-\x9f<>()\[\],:;\\\"@"
# What begins an encoded word (RFC 2047): Python and mail programs read on in what it stands for, line breaks too.
ENCODED_WORD_START = "=?"
ADDRESS_PATTERN = re.compile(
    rf"(?!.*{re.escape(ENCODED_WORD_START)})(?P<local>[^{FORBIDDEN_IN_ADDRESS}]+)@(?P<domain>[^{FORBIDDEN_IN_ADDRESS}]+)"
)
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class MailRefused(FoyerError):
    """The mail cannot be sent, however often it is tried; `code` says why without saying to whom."""


class MailUnavailable(FoyerError):
    """The mail could not be sent this time, and may be later; `code` says why without saying to whom."""


@dataclass(frozen=True)
class Mail:
    """What somebody is to read, as text and as HTML, and to whom an answer goes."""

    to: str
    subject: str
    text: str
    html: str
    reply_to: str | None = None


@dataclass(frozen=True)
class Sender:
    """Whom the mails come from: a name, which may be empty, and an address."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """What follows the address's @."""
        return self.address.rpartition("@")[2]


def parse_sender(mail_from: str) -> Sender:
    """Return what `MAIL_FROM` says: an address, or a name and an address in angle brackets."""
    name, bracket, address = mail_from.removesuffix(">").rpartition("<")
    return Sender(name.strip().strip('"') if bracket else "", address)


def normalise(mail: Mail) -> Mail:
    """Return the mail with its addresses as mail servers spell them, and a subject that means what it says.

    Raises:
        MailRefused: an address is none, or the subject is more than a line.
    """
    if CONTROL_CHARACTERS.search(mail.subject):
        raise MailRefused("SubjectMalformed")
    reply_to = encode_domain(mail.reply_to) if mail.reply_to else None
    subject = mail.subject.replace(ENCODED_WORD_START, " ".join(ENCODED_WORD_START))
    return Mail(encode_domain(mail.to), subject, mail.text, mail.html, reply_to)


def encode_domain(address: str) -> str:
    """Return the address with its domain as DNS knows it.

    Raises:
        MailRefused: it is not one address.
    """
    found = ADDRESS_PATTERN.fullmatch(address)
    if found is None:
        raise MailRefused("AddressMalformed")
    return address if found["domain"].isascii() else f"{found['local']}@{_encode_punycode(found['domain'])}"


def is_valid_reply_to(address: str) -> bool:
    """Return whether an answer to a mail can be led to the address, whichever way the mail goes."""
    try:
        return encode_domain(address).isascii()
    except MailRefused:
        return False


def _encode_punycode(domain: str) -> str:
    # Python's own codec follows the rules of 2003, by which straße is strasse: somebody else's domain.
    import idna  # noqa: PLC0415  # hardly any mail needs it

    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        raise MailRefused("DomainMalformed") from None

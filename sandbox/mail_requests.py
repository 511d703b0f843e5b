"""Reads the mails in the requests of SES's two APIs, without HTTP.

The newer API: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
The older one: https://docs.aws.amazon.com/ses/latest/APIReference/API_SendEmail.html, and API_SendRawEmail.html beside
it.
"""

from base64 import b64decode
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses
from typing import Any

from sandbox.inbox import SentMail

TEMPLATES_MESSAGE = "The sandbox has no e-mail templates. Send the subject and the body, or a raw message."

Request = dict[str, Any]


class InvalidMail(ValueError):
    """The request has no mail that SES would send; the message says why."""


def read_new_request(request: Request) -> SentMail:
    """Return the mail of the newer API's SendEmail, simple or raw.

    Raises:
        InvalidMail: the mail is incomplete, or made from a template.
    """
    content = request.get("Content", {})
    envelope = {
        "sender": request.get("FromEmailAddress"),
        "to": _recipients(request.get("Destination", {})),
        "reply_to": request.get("ReplyToAddresses") or [],
        "tags": _named_values(request.get("EmailTags")),
        "configuration_set": request.get("ConfigurationSetName"),
    }
    if "Raw" in content:
        return _read_raw(b64decode(content["Raw"]["Data"]), envelope)
    if "Simple" not in content:
        raise InvalidMail(TEMPLATES_MESSAGE)
    return _read_simple(content["Simple"], envelope)


def read_old_request(request: Request) -> SentMail:
    """Return the mail of the older API's SendEmail.

    Raises:
        InvalidMail: the mail is incomplete.
    """
    recipients = _recipients(request.get("Destination", {}))
    return _read_simple(request["Message"], _old_envelope(request, recipients))


def read_old_raw_request(request: Request) -> SentMail:
    """Return the mail of the older API's SendRawEmail.

    Raises:
        InvalidMail: the mail is incomplete.
    """
    return _read_raw(request["RawMessage"]["Data"], _old_envelope(request, request.get("Destinations") or []))


def _old_envelope(request: Request, recipients: list[str]) -> dict[str, Any]:
    return {
        "sender": request.get("Source"),
        "to": recipients,
        "reply_to": request.get("ReplyToAddresses") or [],
        "tags": _named_values(request.get("Tags")),
        "configuration_set": request.get("ConfigurationSetName"),
    }


def _read_simple(message: Request, envelope: dict[str, Any]) -> SentMail:
    content = {
        "subject": message["Subject"]["Data"],
        "text": message["Body"].get("Text", {}).get("Data", ""),
        "html": message["Body"].get("Html", {}).get("Data", ""),
        "headers": _named_values(message.get("Headers")),
    }
    return _complete({**envelope, **content})


def _read_raw(data: bytes, envelope: dict[str, Any]) -> SentMail:
    message = message_from_bytes(data, policy=policy.default)
    addresses = {
        "sender": envelope["sender"] or str(message.get("From", "")),
        "to": envelope["to"] or _addresses(message, "To", "Cc", "Bcc"),
        "reply_to": envelope["reply_to"] or _addresses(message, "Reply-To"),
    }
    content = {
        "subject": str(message.get("Subject", "")),
        "text": _part(message, "plain"),
        "html": _part(message, "html"),
        "headers": {name: str(value) for name, value in message.items()},
    }
    return _complete({**envelope, **addresses, **content})


def _complete(fields: dict[str, Any]) -> SentMail:
    for name, header in (("sender", "From"), ("to", "To")):
        if not fields[name]:
            raise InvalidMail(f"Missing required header '{header}'.")
    return SentMail(**fields)


def _recipients(destination: dict[str, list[str]]) -> list[str]:
    return [address for kind in ("To", "Cc", "Bcc") for address in destination.get(f"{kind}Addresses") or []]


def _addresses(message: EmailMessage, *headers: str) -> list[str]:
    values = [str(value) for header in headers for value in message.get_all(header, [])]
    return [address for _, address in getaddresses(values) if address]


def _part(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    return str(part.get_content()) if part else ""


def _named_values(items: list[dict[str, str]] | None) -> dict[str, str]:
    return {item["Name"]: item["Value"] for item in items or []}

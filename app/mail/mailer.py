"""Mail: sends one, by SMTP where `SMTP_URL` names a server, through SES otherwise."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Flask, current_app

from app.config.settings import Settings, missing_setting
from app.mail import message, ses
from app.mail.message import Mail, MailRefused, MailUnavailable, Sender

__all__ = ["Mail", "MailRefused", "MailUnavailable", "init_app", "is_enabled", "send"]


@dataclass(frozen=True)
class Mailer:
    """Whom this process's mails come from, and which way they go."""

    sender: Sender
    smtp_url: str | None
    configuration_set: str | None


def init_app(app: Flask, settings: Settings) -> None:
    """Keep the postman on the application, or none where `MAIL_FROM` is not set.

    Raises:
        SettingsError: nobody knows this service's own address, which the links in mails need.
    """
    if settings.mail_from and settings.site_url is None:
        raise missing_setting("site_url")
    app.extensions["mail"] = (
        Mailer(message.parse_sender(settings.mail_from), settings.smtp_url, settings.ses_configuration_set)
        if settings.mail_from
        else None
    )


def is_enabled() -> bool:
    """Return whether mail is sent at all."""
    return _mailer() is not None


def describe_transport() -> str | None:
    """Return how mail goes out and from whom, for the operator; None where none is sent."""
    postman = _mailer()
    if postman is None:
        return None
    by = f"SMTP at {urlsplit(postman.smtp_url).hostname}" if postman.smtp_url else "SES"
    return f"By {by}, from {postman.sender.address}"


def check_connection() -> None:
    """Find out, by SMTP, whether the server lets us in. Through SES only a mail would show it.

    Raises:
        MailUnavailable: it does not.
    """
    postman = _mailer()
    if postman and postman.smtp_url:
        from app.mail import smtp  # noqa: PLC0415  # as below

        smtp.check_connection(postman.sender, postman.smtp_url)


def send(mail: Mail, tag: str) -> str | None:
    """Send the mail, within 10 seconds, and return the provider's id of it; the tag is our own.

    Raises:
        MailRefused: it cannot be sent, however often it is tried.
        MailUnavailable: it may be sent later.
    """
    postman = _mailer()
    if postman is None:
        raise MailUnavailable("MailFromNotSet")
    mail = message.normalise(mail)
    if postman.smtp_url:
        from app.mail import smtp  # noqa: PLC0415  # as below

        return smtp.send(mail, postman.sender, tag, postman.smtp_url)
    return ses.send(mail, postman.sender, tag, postman.configuration_set)


def _mailer() -> Mailer | None:
    postman: Mailer | None = current_app.extensions["mail"]
    return postman

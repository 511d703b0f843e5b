"""Sends one mail: by SMTP where `SMTP_URL` is set, through SES otherwise."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Flask, current_app

from app.config.settings import Settings, missing_setting
from app.mail import message, ses
from app.mail.message import Mail, MailUnavailable, Sender


@dataclass(frozen=True)
class Mailer:
    """The sender of this process's mails, and the transport: SES where `smtp_url` is None."""

    sender: Sender
    smtp_url: str | None
    configuration_set: str | None


def init_app(app: Flask, settings: Settings) -> None:
    """Add the mailer to the application, or None where `MAIL_FROM` is not set.

    Raises:
        SettingsError: `SITE_URL` is not set, and the links in mails need it.
    """
    app.extensions["mail"] = None
    if settings.mail_from:
        if settings.site_url is None:
            raise missing_setting("site_url")
        sender = message.parse_sender(settings.mail_from)
        app.extensions["mail"] = Mailer(sender, settings.smtp_url, settings.ses_configuration_set)


def describe_transport() -> str | None:
    """Return the transport and the sender as text for the operator, or None where mail is not sent."""
    mailer = _mailer()
    if mailer is None:
        return None
    transport = f"SMTP at {urlsplit(mailer.smtp_url).hostname}" if mailer.smtp_url else "SES"
    return f"By {transport}, from {mailer.sender.address}"


def check_connection() -> None:
    """Log in at the SMTP server. For SES this does nothing: only a mail shows whether SES takes mail.

    Raises:
        MailUnavailable: the server could not be reached, or refused the log-in.
    """
    mailer = _mailer()
    if mailer and mailer.smtp_url:
        from app.mail import smtp  # noqa: PLC0415  # not loaded where SES sends the mail

        smtp.check_connection(mailer.sender, mailer.smtp_url)


def send(mail: Mail, tag: str) -> str | None:
    """Send the mail within 10 seconds and return the provider's id of it. The tag is our own id of it.

    Raises:
        MailRefused: sending will never succeed.
        MailUnavailable: sending may succeed later.
    """
    mailer = _mailer()
    if mailer is None:
        raise MailUnavailable("MailFromNotSet")
    mail = message.normalise(mail)
    if mailer.smtp_url:
        from app.mail import smtp  # noqa: PLC0415  # not loaded where SES sends the mail

        return smtp.send(mail, mailer.sender, tag, mailer.smtp_url)
    return ses.send(mail, mailer.sender, tag, mailer.configuration_set)


def _mailer() -> Mailer | None:
    mailer: Mailer | None = current_app.extensions["mail"]
    return mailer

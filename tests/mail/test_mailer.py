"""Mail settings: the transport, the sender, and the values that are refused."""

import pytest
from flask import Flask

from app.config.settings import SETTINGS, SettingsError, load
from app.mail import mailer, message
from app.mail.message import Sender
from tests.support import factories
from tests.support.example_mail import MAIL, TAG
from tests.support.smtp_server import FakeSmtpServer, serve_smtp

FROM = {"mail_from": "start@acme.example", "site_url": "https://start.acme.example"}


def test_smtp_is_preferred_to_ses(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.clear_environment(monkeypatch)
    server, app = FakeSmtpServer(), Flask(__name__)
    with serve_smtp(server) as port, app.app_context():
        mailer.init_app(app, factories.settings(**FROM, smtp_url=f"smtp://127.0.0.1:{port}"))
        message_id = mailer.send(MAIL, TAG)

    assert server.only_message()["Message-ID"] == message_id
    assert server.only_message()["From"] == "start@acme.example"


@pytest.mark.parametrize(
    ("mail_from", "name", "address"),
    [
        ("start@acme.example", "", "start@acme.example"),
        ("Acme <start@acme.example>", "Acme", "start@acme.example"),
        ('"Acme, Inc." <start@acme.example>', "Acme, Inc.", "start@acme.example"),
        ("Acme, Inc. <start@acme.example>", "Acme, Inc.", "start@acme.example"),
        ("<start@acme.example>", "", "start@acme.example"),
    ],
)
def test_sender_is_an_address_with_or_without_a_name(mail_from: str, name: str, address: str) -> None:
    setting = factories.settings(mail_from=mail_from).mail_from

    assert setting
    assert message.parse_sender(setting) == Sender(name, address)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAIL_FROM", "Acme"),
        ("MAIL_FROM", "a@acme.example, b@acme.example"),
        ("MAIL_FROM", "Acme\n<start@acme.example>"),
        ("MAIL_FROM", "Acme <start@acme.example"),
        ("SMTP_URL", "mail.acme.example"),
        ("SMTP_URL", "http://mail.acme.example"),
        ("SMTP_URL", "smtp://mail.acme.example:70000"),
        ("SMTP_URL", "smtp://acme@mail.acme.example"),
        ("SMTP_URL", "smtp://mail.acme.example/?tls=none"),
        ("SES_CONFIGURATION_SET", "acme mail"),
    ],
)
def test_invalid_mail_setting_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    factories.clear_environment(monkeypatch)
    monkeypatch.setenv("SECRET_KEY", factories.SECRET_KEY)
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as raised:
        load()

    assert f"  {name}: " in str(raised.value)
    assert SETTINGS[name.lower()].description in str(raised.value)
    assert f"'{value}'" not in str(raised.value)

"""SES over real HTTP: what is sent, and what each error of AWS means for the mail."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from flask import Flask

from app.aws import clients
from app.errors import FoyerError
from app.mail import mailer
from app.mail.message import Mail, MailRefused, MailUnavailable
from sandbox.inbox import InboxMail
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.example_mail import MAIL, TAG
from tests.support.scripted_aws import AwsResponse, ScriptedAws


@contextmanager
def mailing(environment: pytest.MonkeyPatch, aws_url: str, **settings: str) -> Iterator[None]:
    """Run an application that sends mail through the SES at that URL."""
    for name, value in factories.environment("", aws_url).items():
        environment.setenv(name, value)
    sender = {"mail_from": "Acme <start@acme.example>", "site_url": "https://start.acme.example"}
    loaded = factories.settings(**{**sender, **settings})
    app = Flask(__name__)
    app.config["THREADS"] = 1
    clients.init_app(app, loaded)
    mailer.init_app(app, loaded)
    with app.app_context():
        yield


@pytest.fixture
def seller(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without the machine's own settings."""
    factories.clear_environment(monkeypatch)
    return monkeypatch


def only_mail(sandbox: Sandbox) -> InboxMail:
    [mail] = sandbox.marketplace.inbox.mails
    return mail


def send_and_collect_errors(seller: pytest.MonkeyPatch, *responses: AwsResponse) -> list[tuple[type[FoyerError], str]]:
    """Send one mail for each response of SES, and return the type and code of each error."""
    errors = []
    with ScriptedAws(list(responses)) as ses, mailing(seller, ses.url):
        for _ in responses:
            with pytest.raises(FoyerError) as raised:
                mailer.send(MAIL, TAG)
            errors.append((raised.type, raised.value.code))
        assert ses.request_count == len(responses)
    return errors


def test_mail_is_sent_as_text_and_html_and_returns_the_ses_id(seller: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    with mailing(seller, sandbox.aws_url):
        message_id = mailer.send(MAIL, TAG)

    mail = only_mail(sandbox)
    assert mail.id == message_id
    assert mail.sender == "Acme <start@acme.example>"
    assert (mail.to, mail.reply_to, mail.subject) == (["ada@gmail.com"], ["help@acme.example"], "Hello")
    assert (mail.text, mail.html) == ("As text", "<p>As HTML</p>")
    assert mail.tags == {"foyer-outbox": TAG}
    assert mail.headers == {"Auto-Submitted": "auto-generated"}
    assert mail.configuration_set is None


def test_mail_uses_the_configuration_set_if_one_is_set(seller: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    with mailing(seller, sandbox.aws_url, ses_configuration_set="acme-mail"):
        mailer.send(MAIL, TAG)

    assert only_mail(sandbox).configuration_set == "acme-mail"


def test_non_ascii_names_and_domains_are_encoded(seller: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    with mailing(seller, sandbox.aws_url, mail_from="Ärzte, „Köln“ <start@acme.example>"):
        mailer.send(Mail("ada@straße.example", "Grüße", "ä", "ä"), TAG)

    mail = only_mail(sandbox)
    assert mail.to == ["ada@xn--strae-oqa.example"]
    assert mail.sender.isascii()
    assert mail.sender_name == "Ärzte, „Köln“ <start@acme.example>"
    assert mail.reply_to == []


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("ädä@acme.example", "AddressNotAscii"),
        ("ada@acme.example, eve@evil.example", "AddressMalformed"),
        ("ada@acme.example\nBcc: eve@evil.example", "AddressMalformed"),
        ("Ada <ada@acme.example>", "AddressMalformed"),
        ("ada", "AddressMalformed"),
        ("ada@\u2488.example", "DomainMalformed"),
    ],
)
def test_invalid_address_is_refused_without_a_call_to_ses(seller: pytest.MonkeyPatch, to: str, code: str) -> None:
    with (
        ScriptedAws([AwsResponse(200, {"MessageId": "x"})]) as ses,
        mailing(seller, ses.url),
        pytest.raises(MailRefused) as raised,
    ):
        mailer.send(Mail(to, "Hello", "", ""), TAG)

    assert (raised.value.code, ses.request_count) == (code, 0)


def test_subject_with_a_line_break_is_refused(seller: pytest.MonkeyPatch) -> None:
    with mailing(seller, "http://127.0.0.1:1"), pytest.raises(MailRefused, match="SubjectMalformed"):
        mailer.send(Mail("ada@gmail.com", "Hello\r\nBcc: eve@evil.example", "", ""), TAG)


def test_rejected_mail_is_refused_for_good(seller: pytest.MonkeyPatch) -> None:
    rejections = ["MessageRejected", "BadRequestException"]

    errors = send_and_collect_errors(
        seller, *(AwsResponse(400, {"__type": code, "message": "Bad content"}) for code in rejections)
    )

    assert errors == [(MailRefused, code) for code in rejections]


def test_sender_that_is_not_verified_waits_for_the_seller(seller: pytest.MonkeyPatch) -> None:
    message = (
        "Email address is not verified. The following identities failed the check in region US-EAST-1: "
        "start@acme.example"
    )
    codes = ["MessageRejected", "MailFromDomainNotVerifiedException"]

    errors = send_and_collect_errors(
        seller, *(AwsResponse(400, {"__type": code, "message": message}) for code in codes)
    )

    assert errors == [(MailUnavailable, code) for code in codes]


def test_temporary_ses_error_is_unavailable_after_one_attempt(seller: pytest.MonkeyPatch) -> None:
    statuses = {
        "TooManyRequestsException": 429,
        "LimitExceededException": 400,
        "SendingPausedException": 400,
        "AccountSuspendedException": 400,
        "NotFoundException": 404,
        "AccessDeniedException": 403,
        "ExpiredTokenException": 403,
        "UnrecognizedClientException": 403,
        "InternalFailure": 500,
    }

    errors = send_and_collect_errors(
        seller, *(AwsResponse(status, {"__type": code, "message": "No."}) for code, status in statuses.items())
    )

    assert errors == [(MailUnavailable, code) for code in statuses]


def test_unreachable_ses_is_unavailable(seller: pytest.MonkeyPatch) -> None:
    with mailing(seller, "http://127.0.0.1:1"), pytest.raises(MailUnavailable, match="EndpointConnectionError"):
        mailer.send(MAIL, TAG)


def test_missing_credentials_are_unavailable(seller: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    seller.setenv("AWS_SHARED_CREDENTIALS_FILE", "nowhere")
    with mailing(seller, sandbox.aws_url):
        seller.delenv("AWS_ACCESS_KEY_ID")
        seller.delenv("AWS_SECRET_ACCESS_KEY")

        with pytest.raises(MailUnavailable, match="NoCredentialsError"):
            mailer.send(MAIL, TAG)


def test_mail_is_off_without_a_sender(seller: pytest.MonkeyPatch) -> None:
    app = Flask(__name__)
    mailer.init_app(app, factories.settings())

    with app.app_context():
        transport = mailer.describe_transport()
        with pytest.raises(MailUnavailable, match="MailFromNotSet"):
            mailer.send(MAIL, str(uuid4()))

    assert transport is None


def test_mail_is_on_with_a_sender(seller: pytest.MonkeyPatch) -> None:
    with mailing(seller, ""):
        assert mailer.describe_transport() == "By SES, from start@acme.example"

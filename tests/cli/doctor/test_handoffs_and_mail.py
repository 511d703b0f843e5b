"""foyer doctor: the products' hand-off URLs and the mail transport."""

import pytest

from tests.cli.doctor.doctor_output import failed_checks, findings, run_doctor
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.ports import free_port
from tests.support.sent_mails import mail_environment
from tests.support.smtp_server import FakeSmtpServer

pytestmark = [on_sqlite, pytest.mark.usefixtures("app")]
PRIVATE_URLS = [
    "https://10.0.0.7/foyer",
    "https://127.0.0.1:9000/foyer",
    "https://[fd00::7]/foyer",
    "https://localhost/foyer",
]


@pytest.mark.parametrize("url", PRIVATE_URLS)
def test_private_handoff_url_fails_and_names_the_setting(environment: pytest.MonkeyPatch, url: str) -> None:
    factories.enable_handoffs(environment, url)
    allowed = findings(run_doctor())["hand-offs"]
    environment.delenv("HANDOFF_ALLOW_PRIVATE")

    failures = failed_checks(run_doctor())

    assert allowed[0] == "ok"
    assert f"No hand-off is sent to {url}" in failures["hand-offs"]
    assert "HANDOFF_ALLOW_PRIVATE is false. Set it to true" in failures["hand-offs"]


@pytest.mark.parametrize("url", ["https://app.acme.example/foyer", "https://93.184.216.34/foyer"])
def test_public_handoff_url_passes(environment: pytest.MonkeyPatch, url: str) -> None:
    factories.enable_handoffs(environment, url)
    environment.delenv("HANDOFF_ALLOW_PRIVATE")

    assert findings(run_doctor())["hand-offs"][0] == "ok"


def test_handoff_url_and_mail_transport_are_named(environment: pytest.MonkeyPatch) -> None:
    factories.enable_handoffs(environment, "https://app.acme.example/foyer")
    environment.setenv("MAIL_FROM", "Acme <start@acme.example>")

    results = findings(run_doctor())

    assert results["hand-offs"][0] == "ok"
    assert "Acme Insights at https://app.acme.example/foyer" in results["hand-offs"][1]
    assert results["mail"] == (
        "ok",
        "By SES, from start@acme.example. See whether mails arrive with `foyer mails list`.",
    )


def test_mail_that_is_not_set_up_warns() -> None:
    results = findings(run_doctor())

    assert results["mail"][0] == "warn"
    assert "MAIL_FROM is not set" in results["mail"][1]
    assert results["hand-offs"][0] == "ok"


def test_reachable_mail_server_passes_and_gets_no_mail(environment: pytest.MonkeyPatch) -> None:
    server = FakeSmtpServer()

    with mail_environment(environment, server):
        verdict, finding = findings(run_doctor())["mail"]

    assert verdict == "ok"
    assert finding.startswith("By SMTP at 127.0.0.1, from start@acme.example.")
    assert server.envelopes == []


@pytest.mark.parametrize("command", ["MAIL", "RCPT"])
def test_sender_that_the_server_refuses_fails(environment: pytest.MonkeyPatch, command: str) -> None:
    server = FakeSmtpServer(
        {command: "553 5.7.1 <start@acme.example>: Sender address rejected: not owned by user acme"}
    )

    with mail_environment(environment, server):
        failures = failed_checks(run_doctor())

    assert "the server does not let this user send as MAIL_FROM" in failures["mail"]
    assert failures["mail"].endswith("(SMTP 553 5.7.1)")
    assert server.envelopes == []


def test_sender_that_takes_no_mail_passes(environment: pytest.MonkeyPatch) -> None:
    server = FakeSmtpServer({"RCPT": "550 5.1.1 <start@acme.example>: Recipient address rejected: User unknown"})

    with mail_environment(environment, server):
        assert findings(run_doctor())["mail"][0] == "ok"


def test_unreachable_mail_server_fails(environment: pytest.MonkeyPatch) -> None:
    with mail_environment(environment, FakeSmtpServer()):
        environment.setenv("SMTP_URL", f"smtp://127.0.0.1:{free_port()}")

        failures = failed_checks(run_doctor())

    assert failures["mail"].startswith("By SMTP at 127.0.0.1, from start@acme.example: the server cannot be reached")
    assert failures["mail"].endswith("(ConnectionRefusedError)")

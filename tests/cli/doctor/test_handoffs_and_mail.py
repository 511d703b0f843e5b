"""flask doctor: whether hand-offs and mails can go where the settings send them."""

import pytest

from tests.cli.doctor.doctor_output import failed_checks, findings, run_doctor
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.ports import free_port
from tests.support.sent_mails import mail_environment
from tests.support.smtp_server import FakeSmtpServer

pytestmark = [on_sqlite, pytest.mark.usefixtures("app")]
INSIDE = [
    "https://10.0.0.7/foyer",
    "https://127.0.0.1:9000/foyer",
    "https://[fd00::7]/foyer",
    "https://localhost/foyer",
]


@pytest.mark.parametrize("url", INSIDE)
def test_an_address_in_a_private_network_fails_with_the_setting_that_allows_it(
    environment: pytest.MonkeyPatch, url: str
) -> None:
    factories.enable_handoffs(environment, url)
    allowed = findings(run_doctor())["hand-offs"]
    environment.delenv("HANDOFF_ALLOW_PRIVATE")

    failures = failed_checks(run_doctor())

    assert allowed[0] == "ok"
    assert f"No hand-off goes to {url}" in failures["hand-offs"]
    assert "HANDOFF_ALLOW_PRIVATE is false. Set it to true" in failures["hand-offs"]


@pytest.mark.parametrize("url", ["https://app.acme.example/foyer", "https://93.184.216.34/foyer"])
def test_an_address_outside_passes(environment: pytest.MonkeyPatch, url: str) -> None:
    factories.enable_handoffs(environment, url)
    environment.delenv("HANDOFF_ALLOW_PRIVATE")

    assert findings(run_doctor())["hand-offs"][0] == "ok"


def test_where_hand_offs_and_mails_go_is_named(environment: pytest.MonkeyPatch) -> None:
    factories.enable_handoffs(environment, "https://app.acme.example/foyer")
    environment.setenv("MAIL_FROM", "Acme <start@acme.example>")

    found = findings(run_doctor())

    assert found["hand-offs"][0] == "ok"
    assert "Acme Insights at https://app.acme.example/foyer" in found["hand-offs"][1]
    assert found["mail"] == (
        "ok",
        "By SES, from start@acme.example. Whether it arrives, `flask --app wsgi mails list` shows.",
    )


def test_without_mail_the_doctor_warns() -> None:
    found = findings(run_doctor())

    assert found["mail"][0] == "warn"
    assert "MAIL_FROM is not set" in found["mail"][1]
    assert found["hand-offs"][0] == "ok"


def test_a_mail_server_that_lets_us_in_passes_and_gets_no_mail(environment: pytest.MonkeyPatch) -> None:
    clerk = FakeSmtpServer()

    with mail_environment(environment, clerk):
        found = findings(run_doctor())["mail"]

    assert found[0] == "ok"
    assert found[1].startswith("By SMTP at 127.0.0.1, from start@acme.example.")
    assert clerk.envelopes == []


def test_a_mail_server_that_is_away_fails_before_a_mail_is_waited_for(environment: pytest.MonkeyPatch) -> None:
    with mail_environment(environment, FakeSmtpServer()):
        environment.setenv("SMTP_URL", f"smtp://127.0.0.1:{free_port()}")

        failures = failed_checks(run_doctor())

    assert failures["mail"].startswith("By SMTP at 127.0.0.1, from start@acme.example: the server does not let us in.")
    assert failures["mail"].endswith("(ConnectionRefusedError)")

"""The doctor tries whether usage may be metered, and bills nothing."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from flask import Flask

from sandbox.faults import Faults
from sandbox.server import Sandbox
from tests.cli.doctor.doctor_output import findings, run_doctor
from tests.support import factories, metered_product
from tests.support.databases import on_sqlite
from tests.support.scripted_aws import AwsResponse, ScriptedAws

SUBJECT = "BatchMeterUsage"
INVALID_TOKEN = AwsResponse(400, {"__type": "InvalidTokenException", "message": "no"})
# As products.toml has it beside the fields of the environment.
METERED = """
[products.{code}]
name = "Acme Insights"
pricing = "subscription"
sign_in_url = "https://app.acme.example/login"
support_email = "help@acme.example"

[products.{code}.usage]
grace_minutes = 20
"""


@pytest.fixture
def metered_settings(environment: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """The environment of a seller whose product has settings for usage."""
    file = tmp_path / "products.toml"
    file.write_text(METERED.format(code=factories.PRODUCT_CODE), encoding="utf-8")
    factories.use_products_file(environment, file)
    return environment


def check_with(environment: pytest.MonkeyPatch, response: AwsResponse) -> tuple[str, str]:
    """Return the verdict and finding where AWS gives this answer to a call without usage."""
    with ScriptedAws([INVALID_TOKEN, response]) as aws:
        environment.setenv("AWS_ENDPOINT_URL_MARKETPLACE_METERING", aws.url)
        return findings(run_doctor())[SUBJECT]


@on_sqlite
def test_product_without_usage_needs_no_permission(environment: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    sandbox.marketplace.faults = Faults(metering_disabled=True)

    assert findings(run_doctor())[SUBJECT] == ("ok", "Not needed: no usage is metered.")
    assert sandbox.marketplace.usage.calls == []


@on_sqlite
def test_permission_is_tried_without_billing(metered_settings: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    verdict, finding = findings(run_doctor())[SUBJECT]

    assert (verdict, sandbox.aws_url in finding) == ("ok", True)
    assert [call.records for call in sandbox.marketplace.usage.calls] == [[]]
    assert list(sandbox.marketplace.usage.ledger.records) == []


def test_stored_usage_needs_the_permission(app: Flask, sandbox: Sandbox) -> None:
    with metered_product.open_product(app, sandbox) as product:
        product.use(product.buy())
    sandbox.marketplace.faults = Faults(access_denied=True)

    verdict, finding = findings(run_doctor())[SUBJECT]
    assert verdict == "FAIL"
    assert 'Allow the IAM action aws-marketplace:BatchMeterUsage on Resource "*"' in finding
    assert finding.endswith("(AccessDeniedException)")


@on_sqlite
@pytest.mark.parametrize(
    ("faults", "advice"),
    [
        (Faults(metering_disabled=True), "Set AWS_REGION to us-east-1. (DisabledApiException)"),
        (Faults(credentials_expired=True), "missing, wrong or expired"),
        (Faults(metering_errors=10), "AWS failed or could not be reached"),
        (Faults(metering_throttled=10), "Run the doctor again in a minute"),
    ],
)
def test_each_error_of_metering_has_its_own_advice(
    metered_settings: pytest.MonkeyPatch, sandbox: Sandbox, faults: Faults, advice: str
) -> None:
    sandbox.marketplace.faults = faults

    verdict, finding = findings(run_doctor())[SUBJECT]
    assert (verdict, advice in finding) == ("FAIL", True)


@on_sqlite
@pytest.mark.parametrize("code", ["ValidationException", "InvalidProductCodeException", "SomethingNewException"])
def test_refusal_of_an_empty_call_shows_the_permission(metered_settings: pytest.MonkeyPatch, code: str) -> None:
    verdict, _ = check_with(metered_settings, AwsResponse(400, {"__type": code, "message": "no records"}))

    assert verdict == "ok"


@on_sqlite
@pytest.mark.parametrize(
    ("ahead", "expected"), [(-115, None), (115, None), (180, "180 s behind AWS's"), (-7200, "7200 s ahead of AWS's")]
)
def test_clock_that_differs_from_awss_warns(
    metered_settings: pytest.MonkeyPatch, ahead: int, expected: str | None
) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)

    verdict, finding = check_with(metered_settings, AwsResponse(200, {"Results": []}, date))

    assert verdict == ("warn" if expected else "ok")
    # A second may go by meanwhile.
    assert expected is None or finding.replace("179 s", "180 s").replace("7201 s", "7200 s").find(expected) > 0


@on_sqlite
def test_answer_without_a_readable_time_passes(metered_settings: pytest.MonkeyPatch) -> None:
    assert check_with(metered_settings, AwsResponse(200, {"Results": []}, "soon"))[0] == "ok"

"""foyer doctor: each check passes or says what to do, and a failing check does not stop the others."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import make_url

from app.services.operations import readiness
from sandbox.faults import Faults
from sandbox.server import Sandbox
from tests.cli.doctor.doctor_output import failed_checks, findings, run_doctor
from tests.support.databases import on_postgresql, on_sqlite
from tests.support.factories import PRODUCT_CODE
from tests.support.scripted_aws import AwsResponse, ScriptedAws

RESOLVED: dict[str, object] = {"ProductCode": PRODUCT_CODE, "CustomerAWSAccountId": "012345678901"}
ROLE = "arn:aws:iam::123456789012:role/marketplace"
REFUSED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code><Message>Not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>"""

Doctor = Callable[[], Result]


@pytest.fixture
def doctor(environment: pytest.MonkeyPatch) -> Doctor:
    """Runs the command in an application that has just read its environment."""
    environment.setenv("AWS_CONFIG_FILE", os.devnull)
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)

    return run_doctor


def test_correct_setup_passes_every_check_and_is_described(doctor: Doctor, sandbox: Sandbox) -> None:
    result = doctor()

    assert failed_checks(result) == {}
    assert f"Acme Insights ({PRODUCT_CODE})" in result.stdout
    assert f"is at revision {readiness.newest_revision()}" in result.stdout
    assert "Account 123456789012, arn:aws:sts::123456789012:user/moto" in result.stdout
    assert f"Permitted at {sandbox.aws_url}" in result.stdout


@on_sqlite
@pytest.mark.parametrize(
    ("faults", "advice"),
    [
        (Faults(access_denied=True), 'aws-marketplace:ResolveCustomer on Resource "*". (AccessDeniedException)'),
        (Faults(credentials_expired=True), "missing, wrong or expired"),
        (Faults(credentials_unknown=True), "missing, wrong or expired"),
        (Faults(api_disabled=True), "Set AWS_REGION to another one"),
        (Faults(aws_down=True), "AWS failed or could not be reached"),
        (Faults(throttled=10), "Run the doctor again in a minute"),
    ],
)
def test_each_resolve_customer_error_has_its_own_advice(
    doctor: Doctor, sandbox: Sandbox, faults: Faults, advice: str
) -> None:
    sandbox.marketplace.faults = faults

    failures = failed_checks(doctor())

    assert failures.keys() == {"ResolveCustomer"}
    assert advice in failures["ResolveCustomer"]


@on_sqlite
def test_made_up_token_reported_as_expired_passes(doctor: Doctor, sandbox: Sandbox) -> None:
    sandbox.marketplace.faults = Faults(expired=True)

    assert failed_checks(doctor()) == {}


@on_sqlite
def test_endpoint_that_resolves_a_made_up_token_is_not_aws(doctor: Doctor, environment: pytest.MonkeyPatch) -> None:
    with ScriptedAws([AwsResponse(200, RESOLVED)]) as endpoint:
        environment.setenv("AWS_ENDPOINT_URL_MARKETPLACE_METERING", endpoint.url)
        failures = failed_checks(doctor())

    assert "so it is not AWS" in failures["ResolveCustomer"]


@on_sqlite
def test_missing_credentials_fail_both_checks_that_need_them(doctor: Doctor, environment: pytest.MonkeyPatch) -> None:
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")

    failures = failed_checks(doctor())

    assert failures.keys() == {"credentials", "ResolveCustomer"}
    assert all("renew AWS_ACCESS_KEY_ID" in advice for advice in failures.values())


@on_sqlite
@pytest.mark.parametrize(
    "profile",
    ["credential_process = /missing/program", "web_identity_token_file = /missing/token\nrole_arn = " + ROLE, "["],
    ids=["credential process", "web identity", "not a profile"],
)
def test_profile_with_missing_files_fails_both_checks_that_need_it(
    doctor: Doctor, environment: pytest.MonkeyPatch, tmp_path: Path, profile: str
) -> None:
    (tmp_path / "config").write_text(f"[profile seller]\n{profile}\n")
    environment.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    environment.setenv("AWS_PROFILE", "seller")
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")

    failures = failed_checks(doctor())

    assert failures.keys() == {"credentials", "ResolveCustomer"}
    assert all("every file that they name" in advice for advice in failures.values())


@on_sqlite
@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "no URL at all"])
def test_unreachable_endpoint_fails_with_advice(doctor: Doctor, environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("AWS_ENDPOINT_URL", url)

    failures = failed_checks(doctor())

    assert failures.keys() == {"credentials", "ResolveCustomer"}
    assert all("every AWS_ENDPOINT_URL that is set" in advice for advice in failures.values())


@on_sqlite
@pytest.mark.parametrize(
    "response", [AwsResponse(200, "<html>Welcome</html>"), AwsResponse(200, "Welcome"), AwsResponse(404, "")]
)
def test_endpoint_that_is_not_aws_fails_with_advice(
    doctor: Doctor, environment: pytest.MonkeyPatch, response: AwsResponse
) -> None:
    with ScriptedAws([response]) as endpoint:
        environment.setenv("AWS_ENDPOINT_URL_STS", endpoint.url)
        failures = failed_checks(doctor())

    assert "every AWS_ENDPOINT_URL that is set" in failures["credentials"]


@on_sqlite
def test_configured_role_is_assumed_and_named(doctor: Doctor, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MARKETPLACE_ROLE_ARN", ROLE)

    result = doctor()

    assert failed_checks(result) == {}
    assert "Account 123456789012, arn:aws:sts::123456789012:assumed-role/marketplace/foyer" in result.stdout


@on_sqlite
def test_refused_role_fails_both_checks_that_need_it(doctor: Doctor, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MARKETPLACE_ROLE_ARN", ROLE)

    with ScriptedAws([AwsResponse(403, REFUSED)]) as endpoint:
        environment.setenv("AWS_ENDPOINT_URL_STS", endpoint.url)
        failures = failed_checks(doctor())

    assert failures.keys() == {"credentials", "ResolveCustomer"}
    assert all("sts:AssumeRole" in advice for advice in failures.values())


@on_sqlite
def test_with_a_role_an_endpoint_that_is_not_aws_fails_both_checks(
    doctor: Doctor, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("MARKETPLACE_ROLE_ARN", ROLE)

    with ScriptedAws([AwsResponse(200, "Welcome")]) as endpoint:
        environment.setenv("AWS_ENDPOINT_URL_STS", endpoint.url)
        failures = failed_checks(doctor())

    assert failures.keys() == {"credentials", "ResolveCustomer"}


@on_sqlite
def test_refused_caller_identity_advises_on_the_credentials(doctor: Doctor, environment: pytest.MonkeyPatch) -> None:
    with ScriptedAws([AwsResponse(403, REFUSED)]) as endpoint:
        environment.setenv("AWS_ENDPOINT_URL_STS", endpoint.url)
        failures = failed_checks(doctor())

    assert "missing, wrong or expired" in failures["credentials"]


@on_sqlite
def test_unreachable_database_fails_with_advice(doctor: Doctor, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")

    failures = failed_checks(doctor())

    assert failures.keys() == {"database"}
    assert "Check DATABASE_URL" in failures["database"]


@on_sqlite
def test_database_without_tables_fails_with_advice(
    doctor: Doctor, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")

    failures = failed_checks(doctor())

    assert failures.keys() == {"database"}
    assert "foyer db upgrade" in failures["database"]


@on_sqlite
def test_cookie_allowed_over_http_is_mentioned_and_passes(doctor: Doctor, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SESSION_COOKIE_SECURE", "false")

    result = doctor()

    assert failed_checks(result) == {}
    assert "unset SESSION_COOKIE_SECURE" in result.stdout


@on_sqlite
def test_cookie_restricted_to_https_is_not_mentioned(doctor: Doctor, environment: pytest.MonkeyPatch) -> None:
    environment.delenv("SESSION_COOKIE_SECURE")

    assert "SESSION_COOKIE_SECURE" not in doctor().stdout


@on_postgresql
def test_database_password_is_not_shown(doctor: Doctor, environment: pytest.MonkeyPatch, database_url: str) -> None:
    url = make_url(database_url).set(password="hunter2")
    environment.setenv("DATABASE_URL", url.render_as_string(hide_password=False))

    result = doctor()

    assert "is at revision" in result.stdout
    assert "hunter2" not in result.stdout


def test_contract_products_need_permission_to_read_entitlements(
    environment: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    not_needed = findings(run_doctor())["GetEntitlements"]
    environment.setenv("PRODUCT_PRICING", "contract")

    permitted = findings(run_doctor())["GetEntitlements"]
    sandbox.marketplace.faults = Faults(access_denied=True)
    denied = failed_checks(run_doctor())["GetEntitlements"]

    assert not_needed == ("ok", "Not needed: no product is sold by contract.")
    assert permitted == ("ok", f"Permitted at {sandbox.aws_url}.")
    assert denied.startswith("These credentials may not read entitlements. Allow the IAM action")
    assert denied.endswith("(AccessDeniedException)")

"""foyer resolve-customer: the ways to pass the token, and the output."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result

from sandbox.purchases import Order, Purchase
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.scripted_aws import AwsResponse, ScriptedAws

Resolve = Callable[..., Result]


def test_output_is_json_in_the_order_of_the_aws_model(
    run_resolve_customer: Resolve, purchase: Purchase, token: str
) -> None:
    result = run_resolve_customer("--registration-token", token)

    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout == (
        "{\n"
        '    "CustomerIdentifier": "",\n'
        f'    "ProductCode": "{factories.PRODUCT_CODE}",\n'
        '    "CustomerAWSAccountId": "044455556666",\n'
        f'    "LicenseArn": "{purchase.license_arn}",\n'
        '    "Metadata": {\n'
        f'        "AgreementId": "{purchase.agreement_id}"\n'
        "    }\n"
        "}\n"
    )


def test_output_has_only_the_fields_that_aws_sent(run_resolve_customer: Resolve, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(
        Order(product_code=factories.PRODUCT_CODE, account_id="111122223333", style="old")
    )

    result = run_resolve_customer("--registration-token", sandbox.marketplace.mint_token(purchase))

    assert json.loads(result.stdout) == {
        "CustomerIdentifier": purchase.customer_identifier,
        "ProductCode": factories.PRODUCT_CODE,
        "CustomerAWSAccountId": "111122223333",
    }


def test_non_ascii_text_is_printed_unescaped(run_resolve_customer: Resolve, environment: pytest.MonkeyPatch) -> None:
    with ScriptedAws([AwsResponse(200, {"CustomerIdentifier": "Zoë"})]) as aws:
        environment.setenv("AWS_ENDPOINT_URL", aws.url)
        result = run_resolve_customer("--registration-token", "X")

    assert '"CustomerIdentifier": "Zoë"' in result.stdout


def test_json_input_needs_no_other_option(run_resolve_customer: Resolve, purchase: Purchase, token: str) -> None:
    result = run_resolve_customer("--cli-input-json", json.dumps({"RegistrationToken": token}))

    assert result.exit_code == 0
    assert json.loads(result.stdout) == purchase.resolve_customer_answer()


def test_json_input_is_read_from_a_file(
    run_resolve_customer: Resolve, purchase: Purchase, token: str, tmp_path: Path
) -> None:
    path = tmp_path / "input.json"
    path.write_text(json.dumps({"RegistrationToken": token}))

    result = run_resolve_customer("--cli-input-json", f"file://{path}")

    assert json.loads(result.stdout) == purchase.resolve_customer_answer()


@pytest.mark.parametrize("path", ["file://~/input.json", "file://$HOME/input.json"])
def test_file_path_may_start_with_the_home_directory(
    run_resolve_customer: Resolve,
    purchase: Purchase,
    token: str,
    tmp_path: Path,
    environment: pytest.MonkeyPatch,
    path: str,
) -> None:
    environment.setenv("HOME", str(tmp_path))
    (tmp_path / "input.json").write_text(json.dumps({"RegistrationToken": token}))

    result = run_resolve_customer("--cli-input-json", path)

    assert json.loads(result.stdout) == purchase.resolve_customer_answer()


def test_token_is_read_from_a_file(
    run_resolve_customer: Resolve, purchase: Purchase, token: str, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text(token)

    result = run_resolve_customer("--registration-token", f"file://{path}")

    assert json.loads(result.stdout) == purchase.resolve_customer_answer()


def test_token_option_overrides_the_json_input(
    run_resolve_customer: Resolve, sandbox: Sandbox, purchase: Purchase, token: str
) -> None:
    expired_token = sandbox.marketplace.mint_token(purchase, timedelta(0))

    valid_option = run_resolve_customer(
        "--cli-input-json", json.dumps({"RegistrationToken": 7}), "--registration-token", token
    )
    valid_json = run_resolve_customer(
        "--registration-token", expired_token, "--cli-input-json", f'{{"RegistrationToken": "{token}"}}'
    )

    assert json.loads(valid_option.stdout) == purchase.resolve_customer_answer()
    assert valid_json.exit_code == 254


def test_role_in_the_settings_is_assumed(
    run_resolve_customer: Resolve, token: str, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("MARKETPLACE_ROLE_ARN", "arn:aws:iam::210987654321:role/another-account")

    result = run_resolve_customer("--registration-token", token)

    assert result.exit_code == 254
    assert "(InvalidTokenException)" in result.stderr

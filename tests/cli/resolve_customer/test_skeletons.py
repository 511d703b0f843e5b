"""foyer resolve-customer --generate-cli-skeleton, byte for byte as the AWS CLI prints it."""

from collections.abc import Callable

import pytest
from click.testing import Result

INPUT_SKELETON = """\
{
    "RegistrationToken": ""
}
"""
OUTPUT_SKELETON = """\
{
    "CustomerIdentifier": "CustomerIdentifier",
    "ProductCode": "ProductCode",
    "CustomerAWSAccountId": "CustomerAWSAccountId",
    "LicenseArn": "LicenseArn",
    "Metadata": {
        "AgreementId": "AgreementId"
    }
}
"""

Resolve = Callable[..., Result]


@pytest.mark.parametrize(
    "args",
    [
        ["--generate-cli-skeleton"],
        ["--generate-cli-skeleton", "input"],
        ["--generate-cli-skeleton=input"],
        ["--generate-cli-skeleton", "--registration-token", "X"],
        ["--registration-token", "X", "--generate-cli-skeleton"],
        ["--cli-input-json", '{"RegistrationToken": "X", "Colour": "red"}', "--generate-cli-skeleton"],
    ],
    ids=" ".join,
)
def test_input_skeleton_needs_no_input_and_no_credentials(
    run_resolve_customer: Resolve, environment: pytest.MonkeyPatch, args: list[str]
) -> None:
    environment.setenv("AWS_PROFILE", "missing")

    result = run_resolve_customer(*args)

    assert (result.exit_code, result.stdout, result.stderr) == (0, INPUT_SKELETON, "")


@pytest.mark.parametrize(
    "args",
    [
        ["--registration-token", "X", "--generate-cli-skeleton", "output"],
        ["--generate-cli-skeleton", "output", "--cli-input-json", '{"RegistrationToken": "X"}'],
        ["--generate-cli-skeleton=output", "--registration-token=-X"],
    ],
    ids=" ".join,
)
def test_output_skeleton_has_every_member_without_credentials(
    run_resolve_customer: Resolve, environment: pytest.MonkeyPatch, args: list[str]
) -> None:
    environment.setenv("AWS_PROFILE", "missing")

    result = run_resolve_customer(*args)

    assert (result.exit_code, result.stdout, result.stderr) == (0, OUTPUT_SKELETON, "")

"""foyer resolve-customer: the message and exit status of each failure."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from sandbox.faults import Faults
from sandbox.server import Sandbox
from tests.support.ports import free_port

Resolve = Callable[..., Result]


def outcome(result: Result) -> tuple[int, str, str]:
    """Return the exit status, standard error and standard output."""
    return result.exit_code, result.stderr, result.stdout


def failure(status: int, text: str) -> tuple[int, str, str]:
    """Return the outcome of an AWS CLI error: the text on standard error, nothing on standard output."""
    return status, f"\naws: [ERROR]: {text}\n", ""


def invalid_input(text: str) -> tuple[int, str, str]:
    """Return the outcome of input that the AWS CLI refuses."""
    return failure(252, f"An error occurred (ParamValidation): {text}")


def invalid_options(text: str) -> tuple[int, str, str]:
    """Return the outcome of options that the AWS CLI refuses; it also prints its usage."""
    return invalid_input(f"{text}\n\nUsage: app resolve-customer [OPTIONS]")


def test_output_skeleton_validates_the_input_first(run_resolve_customer: Resolve) -> None:
    without_input = run_resolve_customer("--generate-cli-skeleton", "output")
    with_empty_input = run_resolve_customer("--generate-cli-skeleton", "output", "--cli-input-json", "{}")

    assert outcome(without_input) == invalid_options("the following arguments are required: --registration-token")
    assert outcome(with_empty_input) == invalid_input(
        'Parameter validation failed:\nMissing required parameter in input: "RegistrationToken"'
    )


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ([], "the following arguments are required: --registration-token"),
        (["--registration-token"], "argument --registration-token: expected one argument"),
        (["--cli-input-json"], "argument --cli-input-json: expected one argument"),
        (
            ["--registration-token", "--generate-cli-skeleton"],
            "argument --registration-token: expected one argument",
        ),
        (["--registration-token", "X", "--colour=red"], "Unknown options: --colour"),
        (["--registration-token", "X", "AQIDBA=="], "Unknown options: 1 without a name"),
        (
            ["--generate-cli-skeleton", "bogus"],
            "argument --generate-cli-skeleton: Found invalid choice, valid choices are: input, output",
        ),
        (
            ["--generate-cli-skeleton", "yaml-input"],
            "argument --generate-cli-skeleton: Found invalid choice, valid choices are: input, output",
        ),
    ],
)
def test_misused_options_exit_with_252(run_resolve_customer: Resolve, args: list[str], text: str) -> None:
    result = run_resolve_customer(*args)

    assert outcome(result) == invalid_options(text)


@pytest.mark.parametrize(
    ("cli_input_json", "text"),
    [
        ("{", "Error parsing parameter 'cli-input-json': Invalid JSON received."),
        (
            "[]",
            "Error parsing parameter '--cli-input-json': Invalid type: expecting map, received <class 'list'>",
        ),
        (
            "file:///missing/input.json",
            "Error parsing parameter '--cli-input-json': Unable to load paramfile file:///missing/input.json: "
            "[Errno 2] No such file or directory: '/missing/input.json'",
        ),
        (
            "file://~nobody-of-that-name/input.json",
            "Error parsing parameter '--cli-input-json': Unable to load paramfile "
            "file://~nobody-of-that-name/input.json: Could not determine home directory.",
        ),
        (
            '{"registrationToken": "X"}',
            'Parameter validation failed:\nMissing required parameter in input: "RegistrationToken"\n'
            'Unknown parameter in input: "registrationToken", must be one of: RegistrationToken',
        ),
        (
            '{"RegistrationToken": "X", "Colour": "red"}',
            'Parameter validation failed:\nUnknown parameter in input: "Colour", must be one of: RegistrationToken',
        ),
        (
            '{"RegistrationToken": null}',
            "Parameter validation failed:\n"
            "Invalid type for parameter RegistrationToken, type: <class 'NoneType'>, valid types: <class 'str'>",
        ),
    ],
)
def test_invalid_input_exits_with_252(run_resolve_customer: Resolve, cli_input_json: str, text: str) -> None:
    result = run_resolve_customer("--cli-input-json", cli_input_json)

    assert outcome(result) == invalid_input(text)


def test_file_that_is_not_text_exits_with_252(run_resolve_customer: Resolve, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"\xff\xfe")

    result = run_resolve_customer("--registration-token", f"file://{path}")

    reason = f"Unable to load paramfile file://{path}: text contents could not be decoded"
    assert outcome(result) == invalid_input(f"Error parsing parameter '--registration-token': {reason}")


def test_empty_token_is_sent_to_aws(run_resolve_customer: Resolve) -> None:
    result = run_resolve_customer("--registration-token", "")

    text = "(InvalidTokenException) when calling the ResolveCustomer operation: Registration token is invalid"
    assert outcome(result) == failure(254, f"An error occurred {text}")


@pytest.mark.parametrize(
    ("faults", "text"),
    [
        (
            Faults(expired=True),
            "(ExpiredTokenException) when calling the ResolveCustomer operation: Registration token is expired",
        ),
        (
            Faults(credentials_expired=True),
            "(ExpiredTokenException) when calling the ResolveCustomer operation: "
            "The security token included in the request is expired",
        ),
        (
            Faults(throttled=1000),
            "(ThrottlingException) when calling the ResolveCustomer operation (reached max retries: 2): Rate exceeded",
        ),
    ],
    ids=["expired token", "expired credentials", "throttled"],
)
def test_aws_error_is_printed_unchanged_and_exits_with_254(
    run_resolve_customer: Resolve, sandbox: Sandbox, token: str, faults: Faults, text: str
) -> None:
    sandbox.marketplace.faults = faults

    result = run_resolve_customer("--registration-token", token)

    assert outcome(result) == failure(254, f"An error occurred {text}")


def test_missing_credentials_exit_with_253(run_resolve_customer: Resolve, environment: pytest.MonkeyPatch) -> None:
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")

    result = run_resolve_customer("--registration-token", "X")

    advice = 'Unable to locate credentials. You can configure credentials by running "aws login".'
    assert outcome(result) == failure(253, f"An error occurred (NoCredentials): {advice}")


def test_unreachable_endpoint_exits_with_255(run_resolve_customer: Resolve, environment: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    environment.setenv("AWS_ENDPOINT_URL", url)

    result = run_resolve_customer("--registration-token", "X")

    assert outcome(result) == failure(255, f'Could not connect to the endpoint URL: "{url}"')


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("AWS_ENDPOINT_URL", "nowhere", "Invalid endpoint: nowhere"),
        ("AWS_PROFILE", "missing", "The config profile (missing) could not be found"),
    ],
)
def test_setup_that_botocore_refuses_exits_with_255(
    run_resolve_customer: Resolve, environment: pytest.MonkeyPatch, name: str, value: str, text: str
) -> None:
    environment.setenv(name, value)

    result = run_resolve_customer("--registration-token", "X")

    assert outcome(result) == failure(255, text)


def test_missing_credentials_file_exits_with_255(
    run_resolve_customer: Resolve, environment: pytest.MonkeyPatch
) -> None:
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    environment.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/eks")
    environment.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/missing/token")

    result = run_resolve_customer("--registration-token", "X")

    # botocore's own warning is printed before it.
    status, text, _ = failure(255, "[Errno 2] No such file or directory: '/missing/token'")
    assert result.exit_code == status
    assert result.stderr.endswith(text)


def test_missing_credentials_program_exits_with_255(
    run_resolve_customer: Resolve, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[profile seller]\ncredential_process = /missing/program\n")
    environment.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    environment.setenv("AWS_PROFILE", "seller")
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")

    result = run_resolve_customer("--registration-token", "X")

    assert outcome(result) == failure(255, "[Errno 2] No such file or directory: '/missing/program'")

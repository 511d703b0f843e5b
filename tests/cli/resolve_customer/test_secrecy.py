"""foyer resolve-customer: the registration token is never printed or logged."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from sandbox.faults import Faults
from sandbox.server import Sandbox
from tests.support.scripted_aws import AwsResponse, ScriptedAws

ROOT = Path(__file__).parents[3]

Resolve = Callable[..., Result]


@pytest.mark.parametrize("wrap", [lambda token: [token], lambda token: {token: token}], ids=["list", "map"])
def test_token_of_the_wrong_type_is_not_printed(
    run_resolve_customer: Resolve, token: str, wrap: Callable[[str], object]
) -> None:
    result = run_resolve_customer("--cli-input-json", json.dumps({"RegistrationToken": wrap(token)}))

    assert result.exit_code == 252
    assert "Invalid type for parameter RegistrationToken, type: <class '" in result.stderr
    assert token not in result.output


def test_token_quoted_by_aws_is_masked(
    run_resolve_customer: Resolve, token: str, environment: pytest.MonkeyPatch
) -> None:
    message = f"Value '{token}' at 'registrationToken' failed to satisfy constraint"

    with ScriptedAws([AwsResponse(400, {"__type": "ValidationException", "message": message})]) as aws:
        environment.setenv("AWS_ENDPOINT_URL", aws.url)
        result = run_resolve_customer("--registration-token", token)

    assert result.exit_code == 254
    assert "Value '***' at 'registrationToken' failed to satisfy constraint" in result.stderr
    assert token not in result.output


@pytest.mark.parametrize("faults", [Faults(), Faults(expired=True)], ids=["resolved", "refused"])
def test_token_is_in_no_log_at_any_level(
    environment: pytest.MonkeyPatch, sandbox: Sandbox, token: str, faults: Faults
) -> None:
    sandbox.marketplace.faults = faults
    environment.setenv("LOG_LEVEL", "DEBUG")

    command = [sys.executable, "-m", "app.cli", "resolve-customer", "--registration-token", token]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == (254 if faults.expired else 0)
    assert bool(run.stdout) == (not faults.expired)
    assert token not in run.stdout + run.stderr

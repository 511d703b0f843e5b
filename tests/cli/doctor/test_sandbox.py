"""foyer doctor with the settings of `make run`, while that does not run."""

import pytest

from tests.cli.doctor.doctor_output import failed_checks, run_doctor
from tests.support.databases import on_sqlite


@on_sqlite
def test_sandbox_that_does_not_run_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    failures = failed_checks(run_doctor())

    assert failures.keys() == {"credentials", "ResolveCustomer"}
    assert all("Nothing answers at http://127.0.0.1:1, on" in advice for advice in failures.values())
    assert all("Start the sandbox there with `make run`" in advice for advice in failures.values())

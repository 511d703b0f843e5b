"""Runs `foyer doctor` and parses its output."""

from click.testing import Result

from app import create_app
from tests.support import factories

EVENT_SUBJECTS = ["events queue", "event rules"]
BASE_SUBJECTS = [
    "settings",
    "products",
    "database",
    "clock",
    "feed",
    "signing keys",
    "rate limits",
    "credentials",
    "ResolveCustomer",
    "GetEntitlements",
    "BatchMeterUsage",
    "dimensions",
]
ALL_SUBJECTS = [*BASE_SUBJECTS, *EVENT_SUBJECTS, "hand-offs", "mail", "worker"]


def run_doctor() -> Result:
    """Run the command in a new application, so that it reads the environment now."""
    with factories.open_app(create_app(), compares_clocks=True) as app:
        return app.test_cli_runner().invoke(args=["doctor"])


def findings(result: Result) -> dict[str, tuple[str, str]]:
    """Return each check's verdict and finding by subject; assert that every check ran."""
    lines = [(line[:5].strip(), line[6:21].strip(), line[23:]) for line in result.stdout.splitlines()]
    assert [subject for _, subject, _ in lines] == ALL_SUBJECTS
    assert {verdict for verdict, _, _ in lines} <= {"ok", "warn", "FAIL"}
    return {subject: (verdict, finding) for verdict, subject, finding in lines}


def failed_checks(result: Result) -> dict[str, str]:
    """Return the advice of each failed check by subject; assert that the exit status fits."""
    failures = {subject: advice for subject, (verdict, advice) in findings(result).items() if verdict == "FAIL"}
    assert result.exit_code == (1 if failures else 0)
    return failures

"""Runs `flask doctor` and reads what it says."""

from click.testing import Result

from app import create_app
from tests.support import factories

EVENT_SUBJECTS = ["events queue", "event rules"]
BASE_SUBJECTS = ["settings", "products", "database", "counts", "credentials", "ResolveCustomer", "GetEntitlements"]
ALL_SUBJECTS = [*BASE_SUBJECTS, *EVENT_SUBJECTS, "hand-offs", "mail", "worker"]


def run_doctor() -> Result:
    """Run the command in an application that has just read its environment."""
    with factories.open_app(create_app()) as app:
        return app.test_cli_runner().invoke(args=["doctor"])


def findings(result: Result) -> dict[str, tuple[str, str]]:
    """Return each check's word and finding by subject, having made sure that every check ran."""
    lines = [(line[:5].strip(), line[6:21].strip(), line[23:]) for line in result.stdout.splitlines()]
    assert [subject for _, subject, _ in lines] == ALL_SUBJECTS
    assert {word for word, _, _ in lines} <= {"ok", "warn", "FAIL"}
    return {subject: (word, finding) for word, subject, finding in lines}


def failed_checks(result: Result) -> dict[str, str]:
    """Return what to do by subject, having made sure that the exit status fits."""
    failures = {subject: advice for subject, (word, advice) in findings(result).items() if word == "FAIL"}
    assert result.exit_code == (1 if failures else 0)
    return failures

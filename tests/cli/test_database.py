"""Commands that need the database, while it cannot be used."""

from pathlib import Path

import pytest

from app import create_app
from tests.support import factories

COMMANDS = [
    ["registrations", "list"],
    ["registrations", "show", "any"],
    ["registrations", "export"],
    ["subscriptions", "list"],
    ["subscriptions", "show", "any"],
    ["api-tokens", "list"],
    ["handoffs", "list"],
    ["handoffs", "retry", "--failed"],
    ["invitations", "list"],
    ["mails", "list"],
    ["db", "upgrade"],
]


@pytest.mark.parametrize("command", COMMANDS)
def test_unreachable_database_fails_with_advice(command: list[str]) -> None:
    url = "postgresql://nobody@127.0.0.1:1/nothing"

    with factories.open_app(create_app(factories.settings(database_url=url))) as app:
        result = app.test_cli_runner().invoke(args=command)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "Check DATABASE_URL" in result.stderr


def test_database_without_tables_fails_with_the_command_to_run(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"

    with factories.open_app(create_app(factories.settings(database_url=url))) as app:
        result = app.test_cli_runner().invoke(args=["registrations", "list"])

    assert result.exit_code == 1
    assert "foyer db upgrade" in result.stderr


@pytest.mark.parametrize("command", [["registrations", "export"], ["db", "upgrade"]])
def test_help_needs_no_database(command: list[str]) -> None:
    url = "postgresql://nobody@127.0.0.1:1/nothing"

    with factories.open_app(create_app(factories.settings(database_url=url))) as app:
        result = app.test_cli_runner().invoke(args=[*command, "--help"])

    assert result.exit_code == 0
    assert "Options:" in result.output

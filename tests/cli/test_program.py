"""The program `foyer`, as a process: without settings, from any folder, and linked into a virtual environment."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from app.cli import COMMANDS, program
from tests.support import factories
from tests.support.databases import on_sqlite

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "app" / "cli" / "foyer"
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def run_foyer(
    *arguments: str, environment: dict[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run the program with these environment variables alone."""
    variables = {"PATH": PATH, **(environment or {})}
    return subprocess.run([PROGRAM, *arguments], env=variables, cwd=cwd, capture_output=True, text=True, check=False)


def walk(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield the path of the command and of all commands below it."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            subcommand = command.get_command(context, name)
            assert subcommand
            yield from walk(subcommand, *path, name)


@pytest.mark.parametrize("arguments", [["-h"], ["registrations", "list", "--help"]])
def test_help_needs_no_settings(arguments: list[str]) -> None:
    result = run_foyer(*arguments)

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("Usage: foyer ")
    assert "flask" not in result.stdout.lower()


def test_help_of_every_command_fits_80_columns_with_whole_summaries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in factories.environment("", ""):
        monkeypatch.delenv(name, raising=False)
    paths = list(walk(program.foyer))

    assert {path[0] for path in paths if path} == set(COMMANDS)
    for path in paths:
        result = CliRunner().invoke(program.foyer, [*path, "--help"], terminal_width=80)
        usage, *lines = result.output.splitlines()
        assert (result.exit_code, result.stderr, usage.split()[:2]) == (0, "", ["Usage:", "foyer"]), path
        assert "flask" not in result.output.lower(), path
        assert max(map(len, lines)) <= 80, path
        _, _, commands = result.output.partition("\nCommands:\n")
        summaries = commands.partition("\n\n")[0].splitlines()
        assert [line for line in summaries if not line.endswith(".") or line.endswith("...")] == [], path


def test_version_is_that_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

    assert run_foyer("--version").stdout == f"foyer {version}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_switched_on_in_each_shell(shell: str) -> None:
    result = CliRunner(env={"_FOYER_COMPLETE": f"{shell}_source"}).invoke(program.foyer, prog_name="foyer")

    assert (result.exit_code, result.stderr) == (0, "")
    assert "_FOYER_COMPLETE" in result.stdout


def test_commands_and_options_are_completed_without_settings() -> None:
    words = {"_FOYER_COMPLETE": "bash_complete"}

    commands = run_foyer(environment={**words, "COMP_WORDS": "foyer re", "COMP_CWORD": "1"})
    options = run_foyer(environment={**words, "COMP_WORDS": "foyer registrations list --em", "COMP_CWORD": "3"})

    assert commands.stdout.split() == ["plain,registrations", "plain,resolve-customer"]
    assert options.stdout.split() == ["plain,--email"]


@on_sqlite
def test_command_runs_in_any_folder_and_takes_its_own_app(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("raise SystemExit('not this one')", encoding="utf-8")

    result = run_foyer("registrations", "list", environment=factories.environment(database_url, ""), cwd=tmp_path)

    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == "There are no registrations.\n"


def test_missing_setting_is_named_with_the_way_to_those_of_make_run(tmp_path: Path) -> None:
    result = run_foyer("registrations", "list", cwd=tmp_path)

    assert (result.returncode, result.stdout) == (1, "")
    assert "SECRET_KEY: it is not set." in result.stderr
    assert result.stderr.endswith('To use the settings of `make run`: make foyer ARGS="..."\n')


def test_dotenv_file_completes_the_settings_as_for_flask(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"SECRET_KEY={factories.SECRET_KEY}\nRETENTION_DAYS=no", encoding="utf-8")

    stderr = run_foyer("registrations", "list", cwd=tmp_path).stderr

    assert "RETENTION_DAYS" in stderr
    assert "SECRET_KEY" not in stderr


def test_link_in_an_environment_runs_the_python_beside_it(tmp_path: Path) -> None:
    python, link = tmp_path / "python", tmp_path / "foyer"
    python.write_text('#!/bin/sh\necho "$PYTHONPATH" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    link.symlink_to(PROGRAM)

    printed = subprocess.run([link, "status", "a b"], env={"PATH": PATH}, capture_output=True, text=True, check=True)

    assert printed.stdout == f"{ROOT} -P -m app.cli status a b\n"

"""Documents, messages and mails name the commands of `foyer`, and each of them exists."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from flask import Flask

from app import VERSION
from app.cli import COMMANDS, program
from tests.support.databases import on_sqlite

ROOT = Path(__file__).parents[1]
README, GO_LIVE = ROOT / "README.md", ROOT / "docs" / "go-live.md"
DEPLOYED_SUFFIXES = {".md", ".yaml", ".service", ".example"}
DEPLOYED = [path for path in sorted(ROOT.glob("deploy/**/*")) if path.suffix in DEPLOYED_SUFFIXES]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")), *DEPLOYED]
SOURCES = [
    path
    for folder, pattern in (("app", "*.py"), ("sandbox", "*.py"), ("templates", "*.*"))
    for path in sorted((ROOT / folder).rglob(pattern))
]
WITH_FLASK = re.compile(rf"flask (?:--app wsgi )?(?:{'|'.join(COMMANDS)})\b")
# `docker run ... foyer foyer status` runs the second in the image of the first.
COMMAND = re.compile(r"""(?<![\w./'-])foyer (?!foyer )(?P<words>[a-z][a-z-]+(?: (?:"[^"\n]*"|[^"`\s|<>#;)]+))*)""")
NAMES = re.compile(r"(?<![\w./'-])foyer (?!foyer )(?P<command>[a-z][a-z-]+)(?: (?P<subcommand>[a-z][a-z-]+))?")


def text_of(path: Path) -> str:
    """Return the file's text, with strings and sentences that go on in the next line joined."""
    return re.sub(r'(?: ?")?\s*\n\s*(?:f?")?', " ", path.read_text(encoding="utf-8"))


def commands_in(document: Path) -> Iterator[list[str]]:
    """Yield the words of each command of foyer that the document has in a block or between backticks."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$|^    \$ (.*)$", text, re.MULTILINE | re.DOTALL)
    for code in [*("".join(block) for block in blocks), *re.findall(r"`([^`\n]+)`", text)]:
        for match in COMMAND.finditer(code):
            yield shlex.split(match["words"])


def test_nothing_asks_users_to_run_a_command_with_flask() -> None:
    found = {path.relative_to(ROOT): WITH_FLASK.findall(text_of(path)) for path in [*DOCUMENTS, *SOURCES]}

    # The changelog says that it still works.
    assert {str(path) for path, commands in found.items() if commands} == {"CHANGELOG.md"}


@on_sqlite
def test_every_command_in_the_documents_exists_with_its_options(app: Flask) -> None:
    commands = [words for document in DOCUMENTS for words in commands_in(document)]

    assert {words[0] for words in commands} == set(COMMANDS) - {"sandbox"}
    for words in commands:
        result = app.test_cli_runner().invoke(args=[*words, "--help"])
        assert result.exit_code == 0, f"{words}: {result.output}"


def test_every_command_in_messages_and_mails_exists() -> None:
    named = [match for path in SOURCES for match in NAMES.finditer(text_of(path))]

    assert {match["command"] for match in named} >= {"db", "doctor", "handoffs", "subscriptions", "worker"}
    for match in named:
        context = click.Context(program.foyer)
        command = program.foyer.get_command(context, match["command"])
        assert command, match[0]
        if isinstance(command, click.Group) and match["subcommand"]:
            assert command.get_command(context, match["subcommand"]), match[0]


def test_readme_names_every_command_that_operators_use() -> None:
    assert {words[0] for words in commands_in(README)} == set(COMMANDS) - {"drafts", "sandbox", "worker"}


def test_link_into_a_virtual_environment_works_as_documented(tmp_path: Path) -> None:
    [line] = [line for line in GO_LIVE.read_text(encoding="utf-8").splitlines() if line.startswith("ln ")]
    shutil.copytree(
        ROOT / "app" / "cli", tmp_path / "app" / "cli", ignore=shutil.ignore_patterns("*.py", "__pycache__")
    )
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} "$@"\n', encoding="utf-8")
    python.chmod(0o755)

    script = (
        f"{line} && cd / && {tmp_path}/.venv/bin/foyer --version && PATH={tmp_path}/.venv/bin:$PATH foyer --version"
    )
    result = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"foyer {VERSION}\n" * 2

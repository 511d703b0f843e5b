"""Lists on a real terminal of 80 columns: what fits, colours, and the pager."""

import json
import os
import pty
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.models import OutboxMessage
from app.services.signup import invitations
from tests.cli.command_output import apply_events, entitle
from tests.cli.conftest import CreateRegistration
from tests.support import factories
from tests.support.aws_events import eventbridge_event, minutes_after_noon
from tests.support.databases import on_sqlite
from tests.support.outbox_messages import register_customer
from tests.support.stored_rows import all_rows

pytestmark = on_sqlite

ROOT = Path(__file__).parents[2]
RUN_COMMANDS = """
import json, os, sys
from app.cli.program import foyer
for command in json.loads(sys.argv[1]):
    while "=" in command[0]:
        name, _, os.environ[name] = command.pop(0).partition("=")
    foyer(command, prog_name="foyer", standalone_mode=False)
    print("----")
"""
LICENSE_ARN = "arn:aws:license-manager::294406891311:license:l-0123456789abcdef0123456789abcdef"
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
LONG: dict[str, Any] = {
    "company": "株式会社" + "日本語の会社" * 6,
    "full_name": "Ada \x1b[31m Lovelace",
    "email": f"{'a' * 60}@example.com",
}


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return factories.enable_handoffs_and_mail(environment)


def run_on_terminal(*commands: list[str]) -> list[str]:
    """Run the commands in one process on a terminal of 24 lines of 80 characters; return what each printed.

    As in a shell, a command may begin with variables, such as `LINES=10`. They stay for the commands after it.
    """
    terminal, program_side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", RUN_COMMANDS, json.dumps(commands)],
        stdin=program_side,
        stdout=program_side,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "PAGER": "cat", "NO_COLOR": "", "COLUMNS": "80", "LINES": "24"},
    )
    os.close(program_side)
    printed = b""
    while chunk := _read(terminal):
        printed += chunk
    os.close(terminal)
    assert process.wait(30) == 0
    return printed.decode().replace("\r\n", "\n").split("----\n")[:-1]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side was closed
        return b""


def display_width(line: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in ESCAPES.sub("", line))


def test_every_list_fits_80_columns(app: Flask) -> None:
    subscription_id = register_customer(app, **LONG)
    with app.app_context():
        invitations.invite(subscription_id, LONG["email"], "buyer")
    lists = ("registrations", "subscriptions", "handoffs", "mails", "invitations", "events", "drafts", "api-tokens")
    filtered = (["subscriptions", "list", "--unregistered"], ["registrations", "list", "--unlinked"])

    printed = run_on_terminal(*([name, "list"] for name in lists), *filtered, ["customer", "ada"])
    lines = "".join(printed).splitlines()

    assert max(map(display_width, lines)) <= 80
    assert not [line for line in lines if not ESCAPES.sub("", line).isprintable()]
    assert "What is wrong now" in [ESCAPES.sub("", line) for line in lines]


def test_every_show_fits_80_columns_and_wide_shows_all(app: Flask) -> None:
    subscription_id = str(register_customer(app, {"license_arn": LICENSE_ARN}, **LONG, notes="word " * 60))
    apply_events(
        app,
        eventbridge_event("Purchase Agreement Created - Manufacturer", minutes_after_noon(0)),
        eventbridge_event(
            "License Updated - Manufacturer", minutes_after_noon(5), license=LICENSE_ARN.rpartition(":")[2]
        ),
    )
    message = all_rows(app, OutboxMessage)[0]
    entitle(app, entitlements=[{"dimension": "users " * 20, "value": 25, "expires_at": "2026-11-01T00:00:00+00:00"}])
    commands = [
        ["subscriptions", "show", subscription_id],
        ["registrations", "show", str(message.registration_id)],
        ["handoffs", "show", str(message.id)],
    ]

    outputs = run_on_terminal(*commands, *([*command, "--wide"] for command in commands))
    printed, wide = (ESCAPES.sub("", "".join(half)) for half in (outputs[:3], outputs[3:]))

    assert max(map(display_width, printed.splitlines())) <= 80
    unfolded = "".join(printed.split())
    for whole in (LICENSE_ARN, LONG["email"], "word" * 60, "LicenseUpdated", "applied:active", "EXPIRED"):
        assert whole in unfolded
    assert re.search(r"^happened +outcome +kind +id$", printed, re.MULTILINE)
    assert wide.count(LICENSE_ARN) == 3
    assert "word " * 60 in wide


def test_terminal_shows_short_ids_and_ages_and_wide_shows_all(create_registration: CreateRegistration) -> None:
    registration_id = str(create_registration())

    narrow, wide = run_on_terminal(*(["registrations", "list", *options] for options in ([], ["--wide"])))

    assert registration_id[:13] in narrow
    assert registration_id not in narrow
    assert re.search(r"now|\d+ s ago", narrow)
    assert registration_id in wide
    assert "customer_aws_account_id" in wide


def test_list_in_a_pipe_has_all_columns_and_no_colours(create_registration: CreateRegistration) -> None:
    registration_id = create_registration(company="x" * 60)

    piped = subprocess.run(
        [sys.executable, "-m", "app.cli", "registrations", "list"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert str(registration_id) in piped.stdout
    assert "\x1b" not in piped.stdout


@pytest.mark.parametrize("variable", ["NO_COLOR=1", "TERM=dumb"])
def test_colours_are_left_out_where_they_are_not_wanted(create_registration: CreateRegistration, variable: str) -> None:
    create_registration()

    wanted, unwanted = run_on_terminal(["registrations", "list"], [variable, "registrations", "list"])

    assert "\x1b[1m" in wanted
    assert unwanted
    assert "\x1b" not in unwanted


def test_pager_shows_what_is_longer_than_the_terminal(app: Flask, tmp_path: Path) -> None:
    for number in range(12):
        register_customer(app, {"license_arn": f"arn:aws:license-manager::1:license:l-{number}"})
    for_all, for_ten = tmp_path / "for all lines", tmp_path / "for ten lines"

    run_on_terminal(
        [f"PAGER=tee '{for_all}'", "registrations", "list"],
        [f"PAGER=tee '{for_ten}'", "LINES=10", "registrations", "list"],
    )

    assert not for_all.exists()
    assert len(for_ten.read_text(encoding="utf-8").splitlines()) == 13

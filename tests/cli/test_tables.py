"""Tables and JSON of stored text: aligned, with control characters escaped."""

import json
from typing import Any

import pytest
from flask.testing import FlaskCliRunner

from app.cli import tables
from tests.cli.conftest import CreateRegistration

HOSTILE = "\x1b[2J\x9b31m\u202eevil\a"


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["show"], ["show", "--json"]])
def test_control_characters_in_stored_text_are_escaped(
    runner: FlaskCliRunner, create_registration: CreateRegistration, arguments: list[str]
) -> None:
    registration_id = create_registration(company=HOSTILE)
    named = [str(registration_id)] if "show" in arguments else []

    result = runner.invoke(args=["registrations", *arguments, *named])

    assert "evil" in result.stdout
    assert all(line.isprintable() for line in result.stdout.splitlines())


def test_escaped_json_parses_to_the_original_text(
    runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    registration_id = create_registration(company=f"{HOSTILE}Zoë")

    result = runner.invoke(args=["registrations", "show", str(registration_id), "--json"])

    assert json.loads(result.stdout)["company"] == f"{HOSTILE}Zoë"
    assert "Zoë" in result.stdout


def test_line_break_is_escaped_within_its_line(runner: FlaskCliRunner, create_registration: CreateRegistration) -> None:
    registration_id = create_registration(notes="first\nsecond")

    result = runner.invoke(args=["registrations", "show", str(registration_id)])

    assert r"first\nsecond" in result.stdout


def test_wide_characters_and_accents_keep_columns_aligned() -> None:
    rows = [{"company": name, "city": "X"} for name in ("山田", "Zoe\u0301", None)]

    lines = tables.format_table(rows, ("company", "city")).splitlines()

    assert lines == ["company  city", "山田     X", "Zoe\u0301      X", "-        X"]


def test_long_cell_is_cut_in_a_table_and_whole_in_a_record() -> None:
    row = {"company": "x" * 200}

    assert len(tables.format_table([row], ("company",)).splitlines()[1]) == 40
    assert "x" * 200 in tables.format_record(row)


def test_terminal_too_narrow_for_columns_shows_a_block_for_each_row() -> None:
    rows: list[dict[str, Any]] = [{"company": "Juniper & Lark", "email": "ada@example.com", "status": "active"}] * 2

    assert (
        tables.fit_table(rows, tuple(rows[0]), 29).split("\n\n")
        == ["company  Juniper & Lark\ne-mail   ada@example.com\nstatus   active"] * 2
    )


def test_wide_characters_are_cut_at_their_width() -> None:
    rows = [{"company": "株式会社日本語の会社", "status": "active"}]

    assert tables.fit_table(rows, ("company", "status"), 19).splitlines()[1] == "株式会社日…  active"

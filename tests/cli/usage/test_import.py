"""foyer usage import: CSV and JSON, what is refused, and a file that is imported again."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskCliRunner

from app.models import UsageHour, UsageItem
from app.services.metering import quantity
from tests.cli.command_output import UNKNOWN_ID
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.stored_rows import all_rows

AT = "2026-11-28T14:05:00Z"
ARN = str(factories.customer().license_arn)
ADD_ON = "dimension,value\r\nusers,1\r\nusers,1\r\n"


def write_file(folder: Path, text: str | bytes, at: str = AT) -> Path:
    """Write a file that was last changed at that time."""
    path = folder / "usage.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    seconds = datetime.fromisoformat(at).timestamp()
    os.utime(path, (seconds, seconds))
    return path


def import_file(runner: FlaskCliRunner, path: Path, *options: str) -> Result:
    return runner.invoke(args=["usage", "import", str(path), *options])


def import_text(runner: FlaskCliRunner, folder: Path, text: str | bytes, *options: str) -> Result:
    return import_file(runner, write_file(folder, text), *options)


def total(app: Flask) -> str:
    """Return the sum of all hours."""
    return quantity.to_text(sum(quantity.join(hour.micros, hour.picos) for hour in all_rows(app, UsageHour)))


def json_lines(*items: Mapping[str, object]) -> str:
    return "".join(f"{json.dumps(item)}\n" for item in items)


@pytest.mark.parametrize("name", ["id", "beginning", "arn"])
def test_add_ons_csv_is_summed_for_the_subscription_that_is_named(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, tmp_path: Path, name: str
) -> None:
    names = {"id": str(subscription_id), "beginning": str(subscription_id)[:13], "arn": ARN}

    result = import_text(runner, tmp_path, ADD_ON, "--subscription", names[name])

    assert (result.exit_code, result.stdout) == (0, "Items that were accepted: 2.\n")
    assert result.stderr.startswith(f"Rows without a time are of the file's: {AT}\n")
    [hour] = all_rows(app, UsageHour)
    assert (hour.subscription_id, hour.dimension, hour.hour) == (
        subscription_id,
        "users",
        datetime(2026, 11, 28, 14, tzinfo=UTC),
    )
    assert total(app) == "2"


@pytest.mark.parametrize(
    "text",
    [ADD_ON, ADD_ON.replace("\r\n", "\n"), f"\ufeff{ADD_ON}", ADD_ON.rstrip(), f"{ADD_ON}\r\n,\r\n \r\n", "{}"],
    ids=["same", "unix", "mark", "no end", "blank lines", "by ARN"],
)
def test_file_that_is_imported_again_adds_nothing(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, tmp_path: Path, text: str
) -> None:
    name = ARN if text == "{}" else str(subscription_id)
    import_text(runner, tmp_path, ADD_ON, "--subscription", str(subscription_id))

    again = import_text(runner, tmp_path, ADD_ON if text == "{}" else text, "--subscription", name)

    assert (again.exit_code, again.stdout) == (0, "Items that were accepted: 2, of which 2 were known already.\n")
    assert total(app) == "2"


def test_same_rows_of_another_time_are_other_usage(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, tmp_path: Path
) -> None:
    for at in (AT, "2026-11-28T14:15:00Z"):
        import_file(runner, write_file(tmp_path, ADD_ON, at), "--subscription", str(subscription_id))
    import_text(runner, tmp_path, ADD_ON, "--subscription", str(subscription_id), "--at", "2026-11-28T14:20Z")

    assert total(app) == "6"


def test_columns_with_the_apis_names_are_read_as_the_api_reads_them(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, tmp_path: Path
) -> None:
    header = "tag:team,ID, Subscription ,dimension,quantity,at,tag:Region\n"
    row = f'red,u-1,{subscription_id},users,"1.500001",{AT},\n'

    result = import_text(runner, tmp_path, header + row)

    assert (result.exit_code, result.stdout) == (0, "Items that were accepted: 1.\n")
    [item] = all_rows(app, UsageItem)
    assert (item.item_id, item.tags, item.used_at.isoformat()) == ("u-1", {"team": "red"}, "2026-11-28T14:05:00+00:00")
    assert total(app) == "1.500001"


@pytest.mark.parametrize("form", ["lines", "list", "long list"])
def test_json_is_read_as_lines_or_as_a_list(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, tmp_path: Path, form: str
) -> None:
    items = [{"id": f"u-{n}", "dimension": "users", "quantity": "1.5", "at": AT} for n in range(2)]
    # In a long list, blanks between the items go over several parts that are read.
    text = {
        "lines": json_lines(*items).replace("\n", "\r\n\r\n"),
        "list": json.dumps(items, indent=1),
        "long list": json.dumps(items).replace(", {", f",{' ' * 200_000}\n{{"),
    }[form]

    result = import_text(runner, tmp_path, f"\ufeff{text}", "--subscription", str(subscription_id))

    assert result.stdout == "Items that were accepted: 2.\n"
    assert total(app) == "3"


@on_sqlite
def test_items_that_are_refused_are_listed_with_their_lines(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, tmp_path: Path
) -> None:
    text = f'dimension,value\nusers,1\n\n"users","1,5"\nusers,1e3\nusers,-1\nusers,\n{"users,2"}\n'

    result = import_text(runner, tmp_path, text, "--subscription", str(subscription_id))

    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert [line.partition(":")[0] for line in lines[:4]] == ["Line 4", "Line 5", "Line 6", "Line 7"]
    assert "quantity must be a decimal number as text" in lines[0]
    assert lines[4:] == ["Items that were accepted: 2.", "Items that were refused: 4."]
    assert total(app) == "3"


@on_sqlite
def test_number_of_json_is_refused_as_by_the_api(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, tmp_path: Path
) -> None:
    number = {"id": "u-1", "dimension": "users", "quantity": 1.5}
    text = json_lines(number, {"dimension": "users", "quantity": "1.5"}) + "5\n"

    result = import_text(runner, tmp_path, text, "--subscription", str(subscription_id))

    lines = result.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == ["Line 1 (id u-1)", "Line 3"]
    assert total(app) == "1.5"


def test_late_and_held_items_count_and_are_named(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, tmp_path: Path
) -> None:
    text = f"dimension,value,at\nusers,1,{AT}\nusers,2,2026-10-31T10:00:00Z\n"

    result = import_text(runner, tmp_path, text, "--subscription", str(subscription_id))

    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        ["Items that were accepted: 2.", "Held, for you to decide: 1. See: foyer usage list --held"],
    )


def test_dry_run_says_what_would_be_accepted_and_accepts_nothing(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, tmp_path: Path
) -> None:
    result = import_text(runner, tmp_path, f"{ADD_ON}users,x\r\n", "--subscription", str(subscription_id), "--dry-run")

    assert result.exit_code == 1
    assert result.stdout.splitlines()[1:] == ["Items that would be accepted: 2.", "Items that would be refused: 1."]
    assert (all_rows(app, UsageItem), all_rows(app, UsageHour)) == ([], [])


@on_sqlite
def test_standard_input_needs_the_time_of_rows_without_one(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    arguments = ["usage", "import", "-", "--subscription", str(subscription_id)]

    refused = runner.invoke(args=arguments, input=ADD_ON)
    accepted = runner.invoke(args=[*arguments, "--at", AT], input=ADD_ON)

    assert "Line 2: it has no time (at). Add it to the file, or give --at." in refused.stderr
    assert accepted.stdout == "Items that were accepted: 2.\n"


@on_sqlite
def test_file_that_names_no_subscription_needs_the_option(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, tmp_path: Path
) -> None:
    without = import_text(runner, tmp_path, ADD_ON)
    unknown = import_text(runner, tmp_path, ADD_ON, "--subscription", UNKNOWN_ID)

    assert "Line 2: it names no subscription. Add it to the file, or give --subscription." in without.stderr
    assert f"No subscription has the id '{UNKNOWN_ID}'" in unknown.stderr


@on_sqlite
def test_more_rows_than_fit_one_transaction_are_all_accepted(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, tmp_path: Path
) -> None:
    text = "dimension,value\n" + "users,1\n" * 2_345

    result = import_text(runner, tmp_path, text, "--subscription", str(subscription_id))

    assert result.stdout == "Items that were accepted: 2345.\n"
    assert total(app) == "2345"

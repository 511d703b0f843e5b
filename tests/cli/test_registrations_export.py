"""foyer registrations export: complete, in order, and safe to open in a spreadsheet."""

import csv
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import insert
from uuid_utils.compat import uuid7

from app.database import transactions
from app.models import Registration, Subscription
from app.services.reports.registrations import BATCH_ROWS
from tests.cli.conftest import CreateRegistration
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, PRODUCT_CODE

ROOT = Path(__file__).parents[2]
TIME = datetime(2026, 11, 5, 10, 30, tzinfo=UTC)


@pytest.fixture
def stored_registration_ids(app: Flask) -> list[str]:
    """The ids of more registrations than fit one batch, oldest first."""
    subscriptions = [{"id": uuid7(), "purchase_key": f"{PRODUCT_CODE}/{number}"} for number in range(BATCH_ROWS + 1)]
    registrations = [{"id": uuid7(), "subscription_id": subscription["id"]} for subscription in subscriptions]
    purchase = {
        "product_code": PRODUCT_CODE,
        "status": "pending",
        "hints": {},
        "created_at": TIME,
        "last_seen_at": TIME,
    }
    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        connection.execute(insert(Subscription), [row | purchase for row in subscriptions])
        connection.execute(
            insert(Registration), [row | ANSWERS | {"created_at": TIME, "updated_at": TIME} for row in registrations]
        )
    return [str(row["id"]) for row in registrations]


def exported(runner: FlaskCliRunner) -> list[dict[str, str]]:
    text = runner.invoke(args=["registrations", "export"]).stdout_bytes.decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_has_every_column_of_both_tables(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["registrations", "export"])

    header = set(result.stdout.strip().split(","))
    assert header >= {column.name for column in Registration.__table__.columns} - {"sent_by", "answers"}
    internal_columns = {"review_at", "review_failures", "change_number"}
    assert header >= {column.name for column in Subscription.__table__.columns} - internal_columns
    assert header >= {"subscription_id", "subscription_created_at", "other_answers"}


@on_sqlite
def test_csv_follows_rfc_4180_in_utf_8(runner: FlaskCliRunner, create_registration: CreateRegistration) -> None:
    answers = {"company": 'Juniper, "Lark" & Zoë', "full_name": "山田 太郎", "notes": "first\nsecond"}
    create_registration(**answers)

    text = runner.invoke(args=["registrations", "export"]).stdout_bytes.decode("utf-8")

    (row,) = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    assert {name: row[name] for name in answers} == answers
    assert '"Juniper, ""Lark"" & Zoë"' in text
    assert text.count("\r\n") == 2
    assert text.endswith("\r\n")


@on_sqlite
def test_csv_keeps_leading_zeros_and_leaves_missing_values_empty(
    runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    create_registration({"customer_aws_account_id": "012345678901", "agreement_id": None})

    (row,) = exported(runner)

    assert (row["customer_aws_account_id"], row["agreement_id"]) == ("012345678901", "")


@on_sqlite
@pytest.mark.parametrize(
    "formula",
    [
        "=1+1",
        "+1 555 0100",
        "-2+3",
        "@SUM(A1)",
        "\t=1+1",
        "\rx",
        "\nx",
        "  =1+1",
        "\u00a0=1+1",
        "\u200b=1+1",
        "\ufeff=1+1",
        "\uff1d1+1",
        "\uff0b1",
        "\uff0d1",
        "\uff20SUM(A1)",
    ],
)
def test_csv_formula_starts_with_an_apostrophe(
    runner: FlaskCliRunner, create_registration: CreateRegistration, formula: str
) -> None:
    create_registration(notes=formula)

    (row,) = exported(runner)

    assert row["notes"] == f"'{formula}"


@on_sqlite
@pytest.mark.parametrize("harmless", ["Juniper = Lark", "a@example.com", "(555) 0100", "'quoted'", "Ünal", "", "…"])
def test_harmless_csv_cell_is_unchanged(
    runner: FlaskCliRunner, create_registration: CreateRegistration, harmless: str
) -> None:
    create_registration(notes=harmless)

    (row,) = exported(runner)

    assert row["notes"] == harmless


def test_csv_of_two_batches_is_complete_and_oldest_first(
    runner: FlaskCliRunner, stored_registration_ids: list[str]
) -> None:
    rows = exported(runner)

    assert [row["id"] for row in rows] == stored_registration_ids


def test_json_lines_of_two_batches_are_complete_and_oldest_first(
    runner: FlaskCliRunner, stored_registration_ids: list[str]
) -> None:
    result = runner.invoke(args=["registrations", "export", "--format", "jsonl"])

    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == stored_registration_ids


def test_json_lines_have_every_value_unchanged(runner: FlaskCliRunner, create_registration: CreateRegistration) -> None:
    create_registration(notes="=1+1\r\n\u2028Zoë", phone=None)

    result = runner.invoke(args=["registrations", "export", "--format", "jsonl"])

    (line,) = result.stdout_bytes.decode().splitlines()
    row = json.loads(line)
    assert (row["notes"], row["phone"], row["hints"]) == ("=1+1\r\n\u2028Zoë", None, {})


@on_sqlite
def test_output_file_equals_standard_output(
    runner: FlaskCliRunner, create_registration: CreateRegistration, tmp_path: Path
) -> None:
    create_registration()

    result = runner.invoke(args=["registrations", "export", "--output", str(tmp_path / "registrations.csv")])

    assert (result.exit_code, result.output) == (0, "")
    expected = runner.invoke(args=["registrations", "export"]).stdout_bytes
    assert (tmp_path / "registrations.csv").read_bytes() == expected


@on_sqlite
def test_unwritable_output_file_fails_and_says_why(runner: FlaskCliRunner, tmp_path: Path) -> None:
    result = runner.invoke(
        args=["registrations", "export", "--output", str(tmp_path / "nowhere" / "registrations.csv")]
    )

    assert result.exit_code == 1
    assert "No such file or directory. Choose another --output." in result.stderr


@pytest.mark.parametrize(
    ("file_format", "database_url"), [("csv", "sqlite"), ("jsonl", "postgresql")], indirect=["database_url"]
)
def test_closed_pipe_ends_the_export_without_an_error_message(
    stored_registration_ids: list[str], file_format: str
) -> None:
    command = [sys.executable, "-m", "app.cli", "registrations", "export", "--format", file_format]

    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as export:
        assert export.stdout
        assert export.stderr
        export.stdout.readline()
        export.stdout.close()
        errors = export.stderr.read()

    assert errors == b""
    assert export.returncode == 1

"""foyer registrations list and show, as tables and as JSON."""

import json
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskCliRunner

from tests.cli.command_output import list_rows
from tests.cli.conftest import CreateRegistration
from tests.support.factories import ANSWERS, OTHER_PRODUCT_CODE, PRODUCT_CODE

FIRST = {"customer_aws_account_id": "012345678901", "license_arn": "arn:aws:license-manager::294406891311:license:l-1"}
SECOND = {
    "customer_aws_account_id": "998877665544",
    "license_arn": "arn:aws:license-manager::294406891311:license:l-2",
    "product_code": OTHER_PRODUCT_CODE,
}


def test_registrations_are_listed_newest_first_in_columns(
    runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    first = create_registration(FIRST, company="Juniper & Lark")
    second = create_registration(SECOND, company="Quillfeather")

    result = runner.invoke(args=["registrations", "list"])

    header, *lines = result.stdout.splitlines()
    assert header.split() == [
        "id",
        "created_at",
        "company",
        "full_name",
        "email",
        "product_code",
        "customer_aws_account_id",
        "status",
    ]
    assert [line.split()[0] for line in lines] == [str(second), str(first)]
    assert {line.index(company) for line, company in zip(lines, ("Quill", "Juniper"), strict=True)} == {
        header.index("company")
    }


def test_json_list_has_answers_purchase_and_times_in_utc(
    runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    registration_id = create_registration()

    (row,) = list_rows(runner, "registrations")

    assert row["id"] == str(registration_id)
    assert {name: row[name] for name in ANSWERS} == ANSWERS
    assert (row["product_code"], row["status"], row["hints"]) == (PRODUCT_CODE, "pending", {})
    assert row["customer_aws_account_id"] == "012345678901"
    assert row["created_at"].endswith("Z")
    assert before <= datetime.fromisoformat(row["created_at"]) <= datetime.now(UTC)


@pytest.mark.parametrize(
    "filters",
    [
        ["--product", OTHER_PRODUCT_CODE],
        ["--account", "998877665544"],
        ["--account", "9988-7766-5544"],
        ["--email", "MARIE@example.com"],
        ["--product", OTHER_PRODUCT_CODE, "--email", "marie@example.com"],
    ],
)
def test_filters_select_matching_registrations(
    runner: FlaskCliRunner, create_registration: CreateRegistration, filters: list[str]
) -> None:
    create_registration(FIRST, email="ada@example.com")
    wanted = create_registration(SECOND, email="Marie@Example.com")

    assert [row["id"] for row in list_rows(runner, "registrations", *filters)] == [str(wanted)]


def test_limit_keeps_the_newest_and_says_that_there_are_more(
    runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    create_registration(FIRST)
    newest = create_registration(SECOND)

    result = runner.invoke(args=["registrations", "list", "--json", "--limit", "1"])

    assert [row["id"] for row in json.loads(result.stdout)] == [str(newest)]
    assert "more than these 1" in result.stderr


def test_limit_that_leaves_nothing_out_prints_no_note(
    runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    create_registration()

    result = runner.invoke(args=["registrations", "list", "--limit", "1"])

    assert result.stderr == ""


def test_empty_list_says_so_on_standard_error_only(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["registrations", "list", "--email", "nobody@example.com"])

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Nothing matches.\n")


def test_empty_json_list_is_an_empty_array(runner: FlaskCliRunner) -> None:
    assert list_rows(runner, "registrations") == []


def test_registration_is_shown_with_its_purchase(
    runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    registration_id = create_registration({**FIRST, "agreement_id": "agmt-first"}, company="Juniper & Lark")

    result = runner.invoke(args=["registrations", "show", str(registration_id)])

    shown = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert shown["id"] == str(registration_id)
    assert shown["company"] == "Juniper & Lark"
    assert shown["customer_aws_account_id"] == "012345678901"
    assert shown["license_arn"] == FIRST["license_arn"]
    assert shown["agreement_id"] == "agmt-first"
    assert (shown["product_code"], shown["status"]) == (PRODUCT_CODE, "pending")


def test_registration_is_shown_as_a_json_object(
    runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    registration_id = create_registration()

    result = runner.invoke(args=["registrations", "show", str(registration_id), "--json"])

    shown = json.loads(result.stdout)
    assert (shown["id"], shown["notes"]) == (str(registration_id), ANSWERS["notes"])


@pytest.mark.parametrize("unknown", ["01a2066f-e5cd-710c-9525-16e12fa5c8ec", "012345678901", "\a"])
def test_unknown_id_fails_and_says_where_to_look(
    runner: FlaskCliRunner, create_registration: CreateRegistration, unknown: str
) -> None:
    create_registration()

    result = runner.invoke(args=["registrations", "show", unknown])

    assert (result.exit_code, result.stdout) == (1, "")
    assert "registrations list --email" in result.stderr
    assert "\a" not in result.stderr

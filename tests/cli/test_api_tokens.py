"""flask api-tokens: a token is shown once, is stored nowhere, and can be ended."""

import json
import re

from flask import Flask
from flask.testing import FlaskCliRunner

from app.models import ApiToken, AuditEntry
from app.services.api import tokens
from tests.cli.command_output import table_cells
from tests.support.databases import on_sqlite
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE
from tests.support.personal_data import dump_tables
from tests.support.stored_rows import all_rows

ON_SQLITE = on_sqlite
NOBODY = "01a20686-2de5-73fe-a873-6ff2af26fc4a"


def create(runner: FlaskCliRunner, *arguments: str) -> str:
    result = runner.invoke(args=["api-tokens", "create", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def let_in(app: Flask, token: str) -> tokens.Reader | None:
    with app.app_context():
        return tokens.authenticate(token)


def test_a_token_is_printed_alone_and_lets_its_reader_in(app: Flask, runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["api-tokens", "create", "crm"])

    token = result.stdout.removesuffix("\n")
    [row] = all_rows(app, ApiToken)
    assert re.fullmatch(r"foyer_[A-Za-z0-9_-]{43}", token)
    assert let_in(app, token) == tokens.Reader(row.id, None)
    assert f"api-tokens revoke {row.id}" in result.stderr
    assert token not in result.stderr


def test_only_the_digest_of_a_token_is_stored(app: Flask, runner: FlaskCliRunner) -> None:
    token = create(runner, "crm")

    [row] = all_rows(app, ApiToken)
    assert (row.name, row.digest) == ("crm", tokens.digest(token))
    assert token.removeprefix(tokens.PREFIX) not in str(dump_tables(app))


def test_two_tokens_of_one_name_are_two(app: Flask, runner: FlaskCliRunner) -> None:
    first, second = create(runner, "crm"), create(runner, "crm")

    assert first != second
    assert let_in(app, first) != let_in(app, second)


def test_a_token_can_be_for_some_products_alone(app: Flask, runner: FlaskCliRunner) -> None:
    token = create(runner, "crm", "--product", PRODUCT_CODE, "--product", OTHER_PRODUCT_CODE, "--product", PRODUCT_CODE)

    reader = let_in(app, token)
    assert reader
    assert reader.product_codes == frozenset({PRODUCT_CODE, OTHER_PRODUCT_CODE})


def test_a_product_that_is_not_configured_is_told(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["api-tokens", "create", "crm", "--product", PRODUCT_CODE, "--product", "mistyped"])

    assert result.exit_code == 0
    assert "'mistyped'" in result.stderr
    assert PRODUCT_CODE not in result.stderr


@ON_SQLITE
def test_a_name_that_would_spoil_the_record_is_refused(app: Flask, runner: FlaskCliRunner) -> None:
    for name in ("", " ", "x" * 101, "two\nlines", "\x1b[2J"):
        for arguments in ([name], ["crm", "--by", name]):
            result = runner.invoke(args=["api-tokens", "create", *arguments])

            assert result.exit_code == 2
            assert "at most 100 characters" in result.stderr
    assert all_rows(app, ApiToken) == []


def test_the_list_says_who_may_read_what_and_not_with_which_token(runner: FlaskCliRunner) -> None:
    secrets = [create(runner, "crm"), create(runner, "billing", "--product", PRODUCT_CODE)]

    table = runner.invoke(args=["api-tokens", "list"]).stdout
    printed = runner.invoke(args=["api-tokens", "list", "--json"]).stdout

    lines = [table_cells(line) for line in table.splitlines()]
    assert [line[2:] for line in lines] == [
        ["name", "products", "revoked_at"],
        ["billing", PRODUCT_CODE, "-"],
        ["crm", "every product", "-"],
    ]
    assert [(row["name"], row["product_codes"]) for row in json.loads(printed)] == [
        ("billing", [PRODUCT_CODE]),
        ("crm", None),
    ]
    assert "digest" not in printed
    assert not any(secret in table + printed for secret in secrets)


def test_without_tokens_the_list_is_empty(runner: FlaskCliRunner) -> None:
    table = runner.invoke(args=["api-tokens", "list"])
    printed = runner.invoke(args=["api-tokens", "list", "--json"])

    assert (table.stdout, table.stderr) == ("", "Nothing matches.\n")
    assert json.loads(printed.stdout) == []


def test_a_revoked_token_lets_nobody_in_and_a_second_time_is_success(app: Flask, runner: FlaskCliRunner) -> None:
    token, other = create(runner, "crm"), create(runner, "billing")
    token_id = str(all_rows(app, ApiToken)[0].id)

    first = runner.invoke(args=["api-tokens", "revoke", token_id])
    second = runner.invoke(args=["api-tokens", "revoke", token_id])

    assert let_in(app, token) is None
    assert let_in(app, other)
    assert first.exit_code == second.exit_code == 0
    assert first.stdout == second.stdout
    assert re.fullmatch(rf"Token {token_id} \(crm\) was revoked at 20\S+Z\.\n", first.stdout)


@ON_SQLITE
def test_an_unknown_id_fails_and_says_what_to_try(app: Flask, runner: FlaskCliRunner) -> None:
    token = create(runner, "crm")

    for unknown in (NOBODY, "crm", "\a"):
        result = runner.invoke(args=["api-tokens", "revoke", unknown])

        assert (result.exit_code, result.stdout) == (1, "")
        assert "api-tokens list" in result.stderr
        assert "\a" not in result.stderr
    assert let_in(app, token)


def test_the_record_says_who_made_and_who_revoked_it_and_when(app: Flask, runner: FlaskCliRunner) -> None:
    create(runner, "crm", "--by", "alice")
    token_id = str(all_rows(app, ApiToken)[0].id)
    for _ in range(2):
        runner.invoke(args=["api-tokens", "revoke", token_id], env={"LOGNAME": "bob"})

    [row] = all_rows(app, ApiToken)
    assert [(entry.action, entry.actor, entry.at) for entry in all_rows(app, AuditEntry)] == [
        ("api_token.created", "operator:alice", row.created_at),
        ("api_token.revoked", "operator:bob", row.revoked_at),
    ]


@ON_SQLITE
def test_what_is_no_token_lets_nobody_in(app: Flask, runner: FlaskCliRunner) -> None:
    create(runner, "crm")

    for text in ("", "foyer_", "foyer_" + "x" * 43, "foyer_" + "é" * 43, "x" * 49, "\x00"):
        assert let_in(app, text) is None

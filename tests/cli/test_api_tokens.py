"""foyer api-tokens: a token is printed once, only its digest is stored, and it can be revoked."""

import json
import re

from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import update

from app.database import transactions
from app.models import ApiToken, AuditEntry
from app.services.api import tokens
from tests.cli.command_output import UNKNOWN_ID, table_cells
from tests.support.databases import on_sqlite
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE
from tests.support.personal_data import dump_tables
from tests.support.stored_rows import all_rows


def create(runner: FlaskCliRunner, *arguments: str) -> str:
    result = runner.invoke(args=["api-tokens", "create", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def authenticate(app: Flask, token: str) -> tokens.Reader | None:
    with app.app_context():
        return tokens.authenticate(token)


def test_created_token_is_printed_alone_and_is_accepted(app: Flask, runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["api-tokens", "create", "crm"])

    token = result.stdout.removesuffix("\n")
    [row] = all_rows(app, ApiToken)
    assert re.fullmatch(r"foyer_[A-Za-z0-9_-]{43}", token)
    assert authenticate(app, token) == tokens.Reader(row.id, None)
    assert f"api-tokens revoke {row.id}" in result.stderr
    assert token not in result.stderr


def test_only_the_digest_of_a_token_is_stored(app: Flask, runner: FlaskCliRunner) -> None:
    token = create(runner, "crm")

    [row] = all_rows(app, ApiToken)
    assert (row.name, row.digest) == ("crm", tokens.digest(token))
    assert token.removeprefix(tokens.PREFIX) not in str(dump_tables(app))


def test_two_tokens_may_have_the_same_name(app: Flask, runner: FlaskCliRunner) -> None:
    first, second = create(runner, "crm"), create(runner, "crm")

    assert first != second
    assert authenticate(app, first) != authenticate(app, second)


def test_token_can_be_limited_to_some_products(app: Flask, runner: FlaskCliRunner) -> None:
    token = create(runner, "crm", "--product", PRODUCT_CODE, "--product", OTHER_PRODUCT_CODE, "--product", PRODUCT_CODE)

    reader = authenticate(app, token)
    assert reader
    assert reader.product_codes == frozenset({PRODUCT_CODE, OTHER_PRODUCT_CODE})


def test_token_has_the_scopes_that_it_is_created_with(app: Flask, runner: FlaskCliRunner) -> None:
    usage = authenticate(app, create(runner, "product", "--scope", "usage:write", "--scope", "usage:write"))
    crm = authenticate(app, create(runner, "crm"))

    assert usage
    assert crm
    assert usage.scopes == {"usage:write"}
    assert crm.scopes == {"read"}


def test_token_of_an_earlier_version_may_read(app: Flask, runner: FlaskCliRunner) -> None:
    token = create(runner, "crm")
    with app.app_context():
        transactions.write(lambda connection: connection.execute(update(ApiToken).values(scopes=None)))

    reader = authenticate(app, token)
    printed = runner.invoke(args=["api-tokens", "list", "--json"]).stdout

    assert reader
    assert reader.scopes == {"read"}
    assert json.loads(printed)[0]["scopes"] == ["read"]


@on_sqlite
def test_unknown_scope_is_refused_and_the_scopes_are_named(app: Flask, runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["api-tokens", "create", "crm", "--scope", "write"])

    assert result.exit_code == 2
    assert "'read', 'usage:write'" in result.stderr
    assert all_rows(app, ApiToken) == []


def test_unknown_product_is_warned_of(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["api-tokens", "create", "crm", "--product", PRODUCT_CODE, "--product", "mistyped"])

    assert result.exit_code == 0
    assert "'mistyped'" in result.stderr
    assert PRODUCT_CODE not in result.stderr


@on_sqlite
def test_name_that_would_break_the_audit_entry_is_refused(app: Flask, runner: FlaskCliRunner) -> None:
    for name in ("", " ", "x" * 101, "two\nlines", "\x1b[2J"):
        for arguments in ([name], ["crm", "--by", name]):
            result = runner.invoke(args=["api-tokens", "create", *arguments])

            assert result.exit_code == 2
            assert "at most 100 characters" in result.stderr
    assert all_rows(app, ApiToken) == []


def test_list_shows_names_and_products_but_no_token(runner: FlaskCliRunner) -> None:
    scopes = ("--scope", "usage:write", "--scope", "read")
    created_tokens = [create(runner, "crm"), create(runner, "billing", "--product", PRODUCT_CODE, *scopes)]

    table = runner.invoke(args=["api-tokens", "list"]).stdout
    printed = runner.invoke(args=["api-tokens", "list", "--json"]).stdout

    lines = [table_cells(line) for line in table.splitlines()]
    assert [line[2:] for line in lines] == [
        ["name", "scopes", "products", "revoked_at"],
        ["billing", "read, usage:write", PRODUCT_CODE, "-"],
        ["crm", "read", "every product", "-"],
    ]
    assert [(row["name"], row["scopes"], row["product_codes"]) for row in json.loads(printed)] == [
        ("billing", ["read", "usage:write"], [PRODUCT_CODE]),
        ("crm", ["read"], None),
    ]
    assert "digest" not in printed
    assert not any(token in table + printed for token in created_tokens)


def test_list_without_tokens_says_how_to_create_one(runner: FlaskCliRunner) -> None:
    table = runner.invoke(args=["api-tokens", "list"])
    printed = runner.invoke(args=["api-tokens", "list", "--json"])

    assert (table.exit_code, table.stdout) == (0, "")
    assert "There are no API tokens. Create one with: " in table.stderr
    assert json.loads(printed.stdout) == []


def test_revoked_token_is_refused_and_revoking_twice_succeeds(app: Flask, runner: FlaskCliRunner) -> None:
    token, other = create(runner, "crm"), create(runner, "billing")
    token_id = str(all_rows(app, ApiToken)[0].id)

    first = runner.invoke(args=["api-tokens", "revoke", token_id])
    second = runner.invoke(args=["api-tokens", "revoke", token_id])

    assert authenticate(app, token) is None
    assert authenticate(app, other)
    assert first.exit_code == second.exit_code == 0
    assert first.stdout == second.stdout
    assert re.fullmatch(rf"Token {token_id} \(crm\) was revoked at 20\S+Z\.\n", first.stdout)


@on_sqlite
def test_unknown_id_fails_and_points_to_the_list(app: Flask, runner: FlaskCliRunner) -> None:
    token = create(runner, "crm")

    for unknown in (UNKNOWN_ID, "crm", "\a"):
        result = runner.invoke(args=["api-tokens", "revoke", unknown])

        assert (result.exit_code, result.stdout) == (1, "")
        assert "api-tokens list" in result.stderr
        assert "\a" not in result.stderr
    assert authenticate(app, token)


def test_audit_names_the_operators_who_created_and_revoked_a_token(app: Flask, runner: FlaskCliRunner) -> None:
    create(runner, "crm", "--by", "alice")
    token_id = str(all_rows(app, ApiToken)[0].id)
    for _ in range(2):
        runner.invoke(args=["api-tokens", "revoke", token_id], env={"LOGNAME": "bob"})

    [row] = all_rows(app, ApiToken)
    assert [(entry.action, entry.actor, entry.at) for entry in all_rows(app, AuditEntry)] == [
        ("api_token.created", "operator:alice", row.created_at),
        ("api_token.revoked", "operator:bob", row.revoked_at),
    ]


@on_sqlite
def test_text_that_is_no_token_is_refused(app: Flask, runner: FlaskCliRunner) -> None:
    create(runner, "crm")

    for text in ("", "foyer_", "foyer_" + "x" * 43, "foyer_" + "é" * 43, "x" * 49, "\x00"):
        assert authenticate(app, text) is None

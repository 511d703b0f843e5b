"""foyer drafts list and erase, and the search for a person's data."""

import json

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from app import create_app
from app.models import AuditEntry, StoredDraft
from app.services.purchases import drafts
from tests.cli.command_output import UNKNOWN_ID, list_rows
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS
from tests.support.stored_rows import all_rows

pytestmark = on_sqlite


@pytest.fixture
def draft_id(app: Flask) -> str:
    """The id of Ada's draft; Bob has one, too."""
    with app.app_context():
        drafts.try_store("form of another purchase", {**ANSWERS, "email": "bob@gmail.com"})
        return str(drafts.try_store("form of a purchase", {**ANSWERS, "email": " Ada@Gmail.com"}))


def test_drafts_are_found_by_address_in_any_case(runner: FlaskCliRunner, draft_id: str) -> None:
    everything = list_rows(runner, "drafts")
    [found] = list_rows(runner, "drafts", "--email", "ada@gmail.com")
    table = runner.invoke(args=["drafts", "list", "--email", "ada@gmail.com"]).stdout

    assert [row["answers"]["email"] for row in everything] == [" Ada@Gmail.com", "bob@gmail.com"]
    assert found["id"] == draft_id
    assert found["answers"]["notes"] == ANSWERS["notes"]
    assert "Juniper & Lark" in table
    assert "bob" not in table


def test_draft_is_erased_and_the_erasure_recorded(app: Flask, runner: FlaskCliRunner, draft_id: str) -> None:
    result = runner.invoke(args=["drafts", "erase", draft_id, "--by", "alice"])

    assert result.output == f"Draft {draft_id} was erased by operator:alice.\n"
    assert draft_id not in {str(draft.id) for draft in all_rows(app, StoredDraft)}
    assert len(all_rows(app, StoredDraft)) == 1
    [entry] = all_rows(app, AuditEntry)
    assert (entry.action, entry.actor) == ("draft.erased", "operator:alice")


def test_unknown_draft_is_not_erased(app: Flask, runner: FlaskCliRunner, draft_id: str) -> None:
    result = runner.invoke(args=["drafts", "erase", UNKNOWN_ID])

    assert result.exit_code == 1
    assert "No draft has the id" in result.output
    assert len(all_rows(app, StoredDraft)) == 2
    assert all_rows(app, AuditEntry) == []


def test_search_for_a_person_names_their_drafts(runner: FlaskCliRunner, draft_id: str) -> None:
    result = runner.invoke(args=["registrations", "list", "--email", "ada@gmail.com", "--json"])

    assert json.loads(result.stdout) == []
    assert "Drafts of this address: 1. See: foyer drafts list --email ada@gmail.com" in result.stderr


def test_draft_of_a_removed_secret_key_is_listed_without_answers(
    environment: pytest.MonkeyPatch, draft_id: str
) -> None:
    environment.setenv("SECRET_KEY", "another-key-0123456789")
    with factories.open_app(create_app()) as app:
        rows = list_rows(app.test_cli_runner(), "drafts")
        table = app.test_cli_runner().invoke(args=["drafts", "list"]).stdout

    assert [row["answers"] for row in rows] == [{}, {}]
    assert draft_id in table

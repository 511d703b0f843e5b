"""The API token with which the example product of `make run` sends usage."""

import stat
from pathlib import Path

import pytest

from app import create_app
from app.services.api import tokens
from sandbox import usage_token
from tests.sandbox.test_commands import settings
from tests.support import factories


def test_chosen_token_is_kept(tmp_path: Path) -> None:
    chosen = settings(tmp_path, USAGE_API_TOKEN="chosen")

    assert usage_token.load_or_create(chosen, tmp_path) == {"USAGE_API_TOKEN": "chosen"}
    assert list(tmp_path.iterdir()) == []


def test_stored_token_is_used_again(tmp_path: Path) -> None:
    of_make_run = {name: value for name, value in settings(tmp_path).items() if name != "DATABASE_URL"}
    (tmp_path / "usage-token").write_text("stored\n")

    assert usage_token.load_or_create(of_make_run, tmp_path) == {"USAGE_API_TOKEN": "stored"}


def test_created_token_may_send_usage_and_is_stored_for_its_owner(tmp_path: Path) -> None:
    of_database = settings(tmp_path)
    app = create_app(factories.settings(database_url=of_database["DATABASE_URL"]))
    with factories.open_app(app):
        assert app.test_cli_runner().invoke(args=["db", "upgrade"]).exit_code == 0

        created = usage_token.load_or_create(of_database, tmp_path)["USAGE_API_TOKEN"]

        with app.app_context():
            reader = tokens.authenticate(created)
    [file] = tmp_path.glob("usage-token-*")
    assert reader
    assert reader.scopes == {"usage:write"}
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == (created, 0o600)
    assert usage_token.load_or_create(of_database, tmp_path)["USAGE_API_TOKEN"] == created


def test_token_of_another_database_is_not_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "usage-token").write_text("stored\n")

    # The database has no tables, so no token can be created in it.
    assert usage_token.load_or_create(settings(tmp_path), tmp_path) == {}

    shown = capsys.readouterr().err
    assert "The example product cannot send usage: no API token was created." in shown
    assert [path.name for path in tmp_path.glob("usage-token*")] == ["usage-token"]

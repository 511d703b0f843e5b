"""The API token with which the example product of `make run` sends usage."""

from pathlib import Path

import pytest

from sandbox import usage_token
from tests.sandbox.test_commands import settings


def test_chosen_token_is_kept(tmp_path: Path) -> None:
    chosen = settings(tmp_path, USAGE_API_TOKEN="chosen")

    assert usage_token.load_or_create(chosen, tmp_path) == {"USAGE_API_TOKEN": "chosen"}
    assert list(tmp_path.iterdir()) == []


def test_stored_token_is_used_again(tmp_path: Path) -> None:
    of_make_run = {name: value for name, value in settings(tmp_path).items() if name != "DATABASE_URL"}
    (tmp_path / "usage-token").write_text("stored\n")

    assert usage_token.load_or_create(of_make_run, tmp_path) == {"USAGE_API_TOKEN": "stored"}


def test_token_of_another_database_is_not_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "usage-token").write_text("stored\n")

    # The database has no tables, so no token can be created in it.
    assert usage_token.load_or_create(settings(tmp_path), tmp_path) == {}

    shown = capsys.readouterr().err
    assert "The example product cannot send usage: no API token was created." in shown
    assert [path.name for path in tmp_path.glob("usage-token*")] == ["usage-token"]

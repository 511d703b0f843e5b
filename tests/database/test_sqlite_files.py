"""SQLite's file, where it cannot be made."""

from pathlib import Path

import pytest

from app.config.settings import SettingsError
from app.database import sqlite_files


@pytest.mark.parametrize("path", ["{}/file/foyer.db", "/proc/foyer.db", "/proc/folder/foyer.db"])
def test_uncreatable_file_is_reported_with_the_setting(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SettingsError, match=r"^Foyer cannot start:\n  DATABASE_URL: /.* cannot be created: "):
        sqlite_files.create(path.format(tmp_path))

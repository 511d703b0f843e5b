"""The kinds of database that a test runs on: both, unless it names the one that is enough."""

import pytest

SQLITE, POSTGRESQL = "sqlite", "postgresql"

on_sqlite = pytest.mark.parametrize("database_url", [SQLITE], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", [POSTGRESQL], indirect=True)

"""The environment of a seller, for the settings."""

import pytest

from tests.support import factories


@pytest.fixture
def seller(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A seller's environment, without a database or AWS behind it."""
    factories.clear_environment(monkeypatch)
    for name, value in factories.environment("sqlite:///foyer.db", "http://127.0.0.1:1").items():
        monkeypatch.setenv(name, value)
    return monkeypatch

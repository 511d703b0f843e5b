"""Settings of a pretend server that a person may change while it runs, one of which is how slow it is."""

import threading
from typing import Generic, Protocol, TypeVar


class Slow(Protocol):
    """Settings that say after how many seconds the server answers."""

    @property
    def slow(self) -> float:
        """The seconds."""


S = TypeVar("S", bound=Slow)


class SlowSettings(Generic[S]):
    """The settings that are on. A change ends every wait in progress. Thread-safe."""

    def __init__(self, settings: S) -> None:
        self._lock = threading.Lock()
        self._settings = settings
        self._changed = threading.Event()

    @property
    def settings(self) -> S:
        """The settings that are on."""
        return self._settings

    @settings.setter
    def settings(self, settings: S) -> None:
        with self._lock:
            self._replace(settings)
            self._changed.set()
            self._changed = threading.Event()

    def _replace(self, settings: S) -> None:
        self._settings = settings

    def wait_if_slow(self) -> None:
        """Wait as long as the settings demand, or until they change."""
        with self._lock:
            slow, changed = self._settings.slow, self._changed
        changed.wait(slow)

"""The troubles that the product can simulate, so that people and tests see how Foyer and its pages react."""

import threading

from pydantic import Field

from sandbox.example.handoffs import RefusalReason
from sandbox.strict_model import StrictModel


class Troubles(StrictModel):
    """The troubles that are on; by default, and after a restart, all are off."""

    down: bool = Field(default=False, title="Down", description="Every hand-off is answered with 503.")
    busy: bool = Field(
        default=False, title="Busy", description="Every hand-off is answered with 503 and Retry-After: 2."
    )
    gone: bool = Field(
        default=False, title="Gone", description="Every hand-off is answered with 410, so Foyer does not send it again."
    )
    slow: float = Field(
        default=0,
        ge=0,
        le=30,
        allow_inf_nan=False,
        title="Slow",
        description="Every hand-off is answered after this many seconds, up to 30. Foyer waits for 10.",
    )
    refuses: RefusalReason | None = Field(
        default=None,
        title="Refuses links",
        description="Every buyer who asks for an existing account is refused for this reason.",
    )


class CurrentTroubles:
    """The current troubles. A change ends every wait in progress. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._troubles = Troubles()
        self._changed = threading.Event()

    @property
    def settings(self) -> Troubles:
        """The troubles that are on."""
        return self._troubles

    @settings.setter
    def settings(self, troubles: Troubles) -> None:
        with self._lock:
            self._troubles = troubles
            self._changed.set()
            self._changed = threading.Event()

    def wait_if_slow(self) -> None:
        """Wait as long as the "slow" trouble demands, or until the troubles change."""
        with self._lock:
            slow, changed = self._troubles.slow, self._changed
        changed.wait(slow)

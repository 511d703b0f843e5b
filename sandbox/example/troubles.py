"""What the product can pretend to have trouble with, so that people and tests see what buyers see then."""

import threading

from pydantic import BaseModel, ConfigDict, Field

from sandbox.example.handoffs import RefusalReason


class Troubles(BaseModel):
    """Which troubles there are; none at first, and none after a restart."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    down: bool = Field(default=False, title="Down", description="Every hand-off is answered with 503.")
    busy: bool = Field(
        default=False, title="Busy", description="Every hand-off is answered with 503 and Retry-After: 2."
    )
    gone: bool = Field(
        default=False, title="Gone", description="Every hand-off is answered with 410: do not send it again."
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
        description="A buyer who wants to use an account that is there already is refused for this reason.",
    )

    def switched_on(self) -> list[str]:
        """Return the titles of the troubles that there are."""
        return [str(field.title) for name, field in type(self).model_fields.items() if getattr(self, name)]


class CurrentTroubles:
    """The troubles at present; a change of them ends the waits that are under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._troubles = Troubles()
        self._changed = threading.Event()

    @property
    def settings(self) -> Troubles:
        """The troubles that there are now."""
        return self._troubles

    @settings.setter
    def settings(self, troubles: Troubles) -> None:
        with self._lock:
            self._troubles = troubles
            self._changed.set()
            self._changed = threading.Event()

    def wait_if_slow(self) -> None:
        """Wait as long as a slow product would."""
        with self._lock:
            slow, changed = self._troubles.slow, self._changed
        changed.wait(slow)

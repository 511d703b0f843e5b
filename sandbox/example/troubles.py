"""The troubles that the product can simulate, so that people and tests see how Foyer and its pages react."""

from pydantic import Field

from sandbox.example.handoffs import RefusalReason
from sandbox.slow_settings import SlowSettings
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


class CurrentTroubles(SlowSettings[Troubles]):
    """The current troubles."""

    def __init__(self) -> None:
        super().__init__(Troubles())

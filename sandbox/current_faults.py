"""The faults that are on now: those that count calls or records go off by themselves."""

from sandbox.faults import Faults
from sandbox.slow_settings import SlowSettings


class CurrentFaults(SlowSettings[Faults]):
    """The current faults."""

    def __init__(self) -> None:
        super().__init__(Faults())
        # Of the calls to throttle by a share, in percent of one call.
        self._share = 0

    def _replace(self, settings: Faults) -> None:
        super()._replace(settings)
        self._share = 0

    def consume(self, name: str) -> bool:
        """Return whether a fault that counts calls applies to this call, and count the call."""
        return self.consume_up_to(name, 1) > 0

    def consume_up_to(self, name: str, wanted: int) -> int:
        """Count a fault down by as many as are wanted and left, and return how many these are."""
        with self._lock:
            remaining: int = getattr(self._settings, name)
            taken = min(remaining, wanted)
            self._settings = self._settings.model_copy(update={name: remaining - taken})
        return taken

    def consume_share(self, percent: int) -> bool:
        """Return whether this call is in a share of all calls, which is spread evenly."""
        with self._lock:
            whole, self._share = divmod(self._share + percent, 100)
        return whole > 0

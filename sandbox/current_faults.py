"""The faults that are on now: those that count calls or records go off by themselves."""

import threading

from sandbox.faults import Faults


class CurrentFaults:
    """The current faults. A change ends every wait of a slow AWS. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults = Faults()
        self._changed = threading.Event()
        # Of the calls to throttle by a share, in percent of one call.
        self._share = 0

    @property
    def settings(self) -> Faults:
        """The faults that are on."""
        return self._faults

    @settings.setter
    def settings(self, faults: Faults) -> None:
        with self._lock:
            self._faults, self._share = faults, 0
            self._changed.set()
            self._changed = threading.Event()

    def wait_if_slow(self) -> None:
        """Wait as long as the "slow" fault demands, or until the faults change."""
        with self._lock:
            slow, changed = self._faults.slow, self._changed
        changed.wait(slow)

    def consume(self, name: str) -> bool:
        """Return whether a fault that counts calls applies to this call, and count the call."""
        return self.consume_up_to(name, 1) > 0

    def consume_up_to(self, name: str, wanted: int) -> int:
        """Count a fault down by as many as are wanted and left, and return how many these are."""
        with self._lock:
            remaining: int = getattr(self._faults, name)
            taken = min(remaining, wanted)
            self._faults = self._faults.model_copy(update={name: remaining - taken})
        return taken

    def consume_share(self, percent: int) -> bool:
        """Return whether this call is in a share of all calls, which is spread evenly."""
        with self._lock:
            whole, self._share = divmod(self._share + percent, 100)
        return whole > 0

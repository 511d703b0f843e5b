"""Moves the clock of this process forward."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import time_machine


@contextmanager
def time_passes(**passed: float) -> Iterator[None]:
    """Run the `with` block later by this much time: `minutes=5`, say."""
    with time_machine.travel(datetime.now(UTC) + timedelta(**passed)):
        yield

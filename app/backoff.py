"""Backoff: how long to wait before the next try of what has failed."""

import random

MAX_DOUBLINGS = 20


def backoff_seconds(failures: int, first_seconds: float, max_seconds: float) -> float:
    """Return the wait in seconds: doubled with each failure, up to `max_seconds`.

    Up to half of it is cut off at random, so that processes that failed together do not retry together.
    """
    longest = min(first_seconds * 2 ** min(failures, MAX_DOUBLINGS), max_seconds)
    return random.uniform(longest / 2, longest)  # noqa: S311  # spreads the load, keeps no secret

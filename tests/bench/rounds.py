"""Measures several sides in turn, round after round, and compares them."""

import statistics
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

Side = TypeVar("Side", bound=Hashable)
# A round's figures by name.
Figures = Mapping[str, float]


class Rounds:
    """The figures of one side in each round."""

    def __init__(self) -> None:
        self._figures: list[Figures] = []

    def add(self, figures: Figures) -> None:
        self._figures.append(figures)

    def median(self, name: str) -> float:
        """Return the median of the rounds."""
        return statistics.median(figures[name] for figures in self._figures)

    def ratio(self, reference: "Rounds", name: str) -> float:
        """Return the median of the rounds' ratios. Both sides of a round saw the same load by other programs."""
        pairs = zip(self._figures, reference._figures, strict=True)
        return statistics.median(figures[name] / other[name] for figures, other in pairs)


def measure_in_turn(
    sides: Sequence[Side], measure: Callable[[Side], Figures], rounds: int, warm_ups: int = 1
) -> list[Rounds]:
    """Return the rounds of each side, measured A B B A; the rounds for warming up are left out.

    A side that is given twice is measured once.
    """
    results = {side: Rounds() for side in sides}
    for _ in range(warm_ups):
        for side in results:
            measure(side)
    for number in range(rounds):
        for side in reversed(results) if number % 2 else results:
            results[side].add(measure(side))
    return [results[side] for side in sides]

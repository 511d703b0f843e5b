"""Measures several sides in turn, round after round, and compares them."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

Side = TypeVar("Side")
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


def measure_in_turn(sides: Sequence[Side], measure: Callable[[Side], Figures], rounds: int) -> list[Rounds]:
    """Return the rounds of each side, measured A B B A; a first round for warming up is left out."""
    for side in sides:
        measure(side)
    results = [Rounds() for _ in sides]
    for number in range(rounds):
        turn = list(zip(sides, results, strict=True))
        for side, result in reversed(turn) if number % 2 else turn:
            result.add(measure(side))
    return results

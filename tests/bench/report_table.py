"""The table that the bench prints: each figure with its reference and its limit."""

from dataclasses import dataclass

from tests.bench.rounds import Rounds

COLUMN_WIDTHS = (46, 12, 12, 8)


@dataclass(frozen=True)
class FigureRow:
    """One figure: measured and reference value, the number to compare with the limit (often their ratio), the limit."""

    name: str
    measured: str
    reference: str = ""
    compared: float | None = None
    at_most: float | None = None
    at_least: float | None = None

    def verdict(self) -> str:
        """Return the limit and whether it is met; nothing if there is none."""
        if self.compared is None or (self.at_most is None and self.at_least is None):
            return ""
        if self.at_least is not None:
            return f">= {self.at_least:g}: {'met' if self.compared >= self.at_least else 'MISSED'}"
        return f"<= {self.at_most:g}: {'met' if self.compared <= (self.at_most or 0) else 'MISSED'}"

    def __str__(self) -> str:
        compared = "" if self.compared is None else f"{self.compared:.2f}"
        return f"{_align(self.name, self.measured, self.reference, compared)}   {self.verdict()}".rstrip()


def compare(
    name: str,
    figure: str,
    measured: Rounds,
    reference: Rounds | None = None,
    *,
    decimals: int = 2,
    at_most: float | None = None,
    at_least: float | None = None,
) -> FigureRow:
    """Return the row of a figure: the medians of both sides' rounds, and the median of the rounds' ratios."""
    value = f"{measured.median(figure):.{decimals}f}"
    if reference is None:
        return FigureRow(name, value)
    ratio = measured.ratio(reference, figure)
    return FigureRow(name, value, f"{reference.median(figure):.{decimals}f}", ratio, at_most, at_least)


def section_heading(name: str, measured: str, reference: str) -> str:
    """Return the heading of a section, after an empty line."""
    return f"\n{_align(name, measured, reference, 'ratio')}   limit"


def _align(name: str, *figures: str) -> str:
    first, *others = COLUMN_WIDTHS
    return name.ljust(first) + "".join(figure.rjust(width) for figure, width in zip(figures, others, strict=True))

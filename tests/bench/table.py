"""The table that the bench prints: each figure beside its bar."""

from dataclasses import dataclass

WIDTHS = (46, 12, 12, 8)


@dataclass(frozen=True)
class Row:
    """One figure: ours, what it is held against, their ratio or the figure that the bar is about, and the bar."""

    name: str
    ours: str
    other: str = ""
    judged: float | None = None
    at_most: float | None = None
    at_least: float | None = None

    def verdict(self) -> str:
        """Return the bar and whether it was reached; nothing where there is none."""
        if self.judged is None or (self.at_most is None and self.at_least is None):
            return ""
        if self.at_least is not None:
            return f">= {self.at_least:g}: {'reached' if self.judged >= self.at_least else 'FALLS SHORT'}"
        return f"<= {self.at_most:g}: {'reached' if self.judged <= (self.at_most or 0) else 'FALLS SHORT'}"

    def __str__(self) -> str:
        judged = "" if self.judged is None else f"{self.judged:.2f}"
        cells = (self.name, self.ours, self.other, judged)
        left, *right = (cell for cell in zip(cells, WIDTHS, strict=True))
        figures = "".join(cell.rjust(width) for cell, width in right)
        return f"{left[0].ljust(left[1])}{figures}   {self.verdict()}".rstrip()


def heading(name: str, ours: str, other: str) -> str:
    """Return a part's first line."""
    return f"\n{name.ljust(WIDTHS[0])}{ours.rjust(WIDTHS[1])}{other.rjust(WIDTHS[2])}{'ratio'.rjust(WIDTHS[3])}   bar"

"""The table that the bench prints: each figure beside its bar."""

from dataclasses import dataclass

COLUMN_WIDTHS = (46, 12, 12, 8)


@dataclass(frozen=True)
class FigureRow:
    """One figure: ours, what it is held against, their ratio or the figure that the bar is about, and the bar."""

    name: str
    measured: str
    reference: str = ""
    compared: float | None = None
    at_most: float | None = None
    at_least: float | None = None

    def verdict(self) -> str:
        """Return the bar and whether it was reached; nothing where there is none."""
        if self.compared is None or (self.at_most is None and self.at_least is None):
            return ""
        if self.at_least is not None:
            return f">= {self.at_least:g}: {'reached' if self.compared >= self.at_least else 'FALLS SHORT'}"
        return f"<= {self.at_most:g}: {'reached' if self.compared <= (self.at_most or 0) else 'FALLS SHORT'}"

    def __str__(self) -> str:
        judged = "" if self.compared is None else f"{self.compared:.2f}"
        cells = (self.name, self.measured, self.reference, judged)
        left, *right = (cell for cell in zip(cells, COLUMN_WIDTHS, strict=True))
        figures = "".join(cell.rjust(width) for cell, width in right)
        return f"{left[0].ljust(left[1])}{figures}   {self.verdict()}".rstrip()


def section_heading(name: str, measured: str, reference: str) -> str:
    """Return a part's first line."""
    first, *widths = COLUMN_WIDTHS
    columns = zip((measured, reference, "ratio"), widths, strict=True)
    return f"\n{name.ljust(first)}{''.join(column.rjust(width) for column, width in columns)}   bar"

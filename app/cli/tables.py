"""What commands print of stored rows: tables for people, JSON for programs, and nothing that a terminal obeys."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

WIDEST_CELL = 40
NOTHING = "-"


def echo(found: Sequence[Mapping[str, Any]], limit: int, columns: Sequence[str], *, in_json: bool) -> None:
    """Print at most so many of the rows found, and say on standard error if there are none, or more."""
    rows = found[:limit]
    if rows or in_json:
        click.echo(as_json(rows) if in_json else table(rows, columns))
    if not rows:
        click.echo("Nothing matches.", err=True)
    if len(found) > limit:
        click.echo(f"There are more than these {limit}: narrow them down, or raise --limit.", err=True)


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return the rows under their columns' names, aligned, long cells cut short."""
    return "\n".join(_aligned([columns, *([_cell(row[column]) for column in columns] for row in rows)]))


def sheet(row: Mapping[str, Any]) -> str:
    """Return one row as a line for each column that has a value, nothing cut.

    A list has a line for each of its rows, aligned among themselves.
    """
    widest = max(map(len, row))
    return "\n".join(f"{name:<{widest}}  {line}" for name, value in row.items() for line in _lines(value))


def as_json(rows: object, indent: int | None = 2) -> str:
    """Return JSON in readable characters; those that a terminal might obey are escaped."""
    written = json.dumps(rows, indent=indent, ensure_ascii=False, default=text)
    if written.isprintable():
        return written
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in written)


def text(value: object) -> str:
    """Return a stored value as text: times in ISO 8601 and UTC, nothing for None."""
    match value:
        case None:
            return ""
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def printable(written: str) -> str:
    """Return the text with whatever a terminal might obey escaped, line breaks too."""
    if written.isprintable():
        return written
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in written)


def _lines(value: object) -> list[str]:
    if isinstance(value, list):
        return _aligned([[printable(text(cell)) for cell in row] for row in value])
    return [] if value is None else [printable(text(value))]


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(_width, cells)) for cells in zip(*lines, strict=True)]
    return ["  ".join(map(_padded, line, widths)).rstrip() for line in lines]


def _cell(value: object) -> str:
    shown = printable(text(value)) or NOTHING
    return shown if len(shown) <= WIDEST_CELL else f"{shown[: WIDEST_CELL - 1]}…"


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - _width(cell))


def _width(cell: str) -> int:
    # Chinese, Japanese and Korean letters take two columns of a terminal, combining accents none.
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in cell)

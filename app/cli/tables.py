"""What commands print of stored rows: tables for people, JSON for programs, and nothing that a terminal obeys."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

MAX_CELL_WIDTH = 40
EMPTY_CELL = "-"


def print_rows(found: Sequence[Mapping[str, Any]], limit: int, columns: Sequence[str], *, in_json: bool) -> None:
    """Print at most so many of the rows found, and say on standard error if there are none, or more."""
    rows = found[:limit]
    if rows or in_json:
        click.echo(to_json(rows) if in_json else format_table(rows, columns))
    if not rows:
        click.echo("Nothing matches.", err=True)
    if len(found) > limit:
        click.echo(f"There are more than these {limit}: narrow them down, or raise --limit.", err=True)


def format_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return the rows under their columns' names, aligned, long cells cut short."""
    return "\n".join(_align([columns, *([_format_cell(row[column]) for column in columns] for row in rows)]))


def format_record(row: Mapping[str, Any]) -> str:
    """Return one row as a line for each column that has a value, nothing cut.

    A list has a line for each of its rows, aligned among themselves.
    """
    widest = max(map(len, row))
    return "\n".join(f"{name:<{widest}}  {line}" for name, value in row.items() for line in _value_lines(value))


def to_json(rows: object, indent: int | None = 2) -> str:
    """Return JSON in readable characters; those that a terminal might obey are escaped."""
    written = json.dumps(rows, indent=indent, ensure_ascii=False, default=format_value)
    if written.isprintable():
        return written
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in written)


def format_value(value: object) -> str:
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


def escape_unprintable(text: str) -> str:
    """Return the text with whatever a terminal might obey escaped, line breaks too."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _value_lines(value: object) -> list[str]:
    if isinstance(value, list):
        return _align([[escape_unprintable(format_value(cell)) for cell in row] for row in value])
    return [] if value is None else [escape_unprintable(format_value(value))]


def _align(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(_display_width, cells)) for cells in zip(*lines, strict=True)]
    return ["  ".join(map(_pad, line, widths)).rstrip() for line in lines]


def _format_cell(value: object) -> str:
    shown = escape_unprintable(format_value(value)) or EMPTY_CELL
    return shown if len(shown) <= MAX_CELL_WIDTH else f"{shown[: MAX_CELL_WIDTH - 1]}…"


def _pad(cell: str, width: int) -> str:
    return cell + " " * (width - _display_width(cell))


def _display_width(cell: str) -> int:
    # Chinese, Japanese and Korean letters take two columns of a terminal, combining accents none.
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in cell)

"""Formats stored rows for a terminal: tables for people, JSON for programs, control characters escaped."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

MAX_CELL_WIDTH = 40
EMPTY_CELL = "-"


def format_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return aligned columns under their names; a cell over MAX_CELL_WIDTH characters is cut."""
    return "\n".join(_align([columns, *([_format_cell(row[column]) for column in columns] for row in rows)]))


def format_record(row: Mapping[str, Any]) -> str:
    """Return one line for each column that has a value, nothing cut.

    A value that is a list of rows has one line for each of them, in aligned columns.
    """
    width = max(map(len, row))
    return "\n".join(f"{name:<{width}}  {line}" for name, value in row.items() for line in _value_lines(value))


def to_json(rows: object, indent: int | None = 2) -> str:
    """Return JSON with letters unescaped, but control characters escaped, so that a terminal does not obey them."""
    text = json.dumps(rows, indent=indent, ensure_ascii=False, default=format_value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def format_value(value: object) -> str:
    """Return a stored value as text: times in ISO 8601 and UTC, None as the empty string."""
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
    """Return the text with control characters and line breaks escaped, so that a terminal does not obey them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _value_lines(value: object) -> list[str]:
    if isinstance(value, list):
        return _align([[escape_unprintable(format_value(cell)) for cell in row] for row in value])
    return [] if value is None else [escape_unprintable(format_value(value))]


def _align(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(_display_width, cells)) for cells in zip(*lines, strict=True)]
    return ["  ".join(map(_pad, line, widths)).rstrip() for line in lines]


def _format_cell(value: object) -> str:
    text = escape_unprintable(format_value(value)) or EMPTY_CELL
    return text if len(text) <= MAX_CELL_WIDTH else f"{text[: MAX_CELL_WIDTH - 1]}…"


def _pad(cell: str, width: int) -> str:
    return cell + " " * (width - _display_width(cell))


def _display_width(cell: str) -> int:
    # Chinese, Japanese and Korean letters take two columns of a terminal, combining accents none.
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in cell)

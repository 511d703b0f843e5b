"""Formats stored rows for a terminal: tables for people, JSON for programs, control characters escaped."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.cli import ages, terminal

MAX_CELL_WIDTH = 40
EMPTY_CELL = "-"
GAP = "  "
# A text column that has to become narrower, and a text beside a long head, keep at least so many columns.
MIN_TEXT_WIDTH = 10
MIN_HANGING_WIDTH = 20
# UUIDv7: these show the millisecond; then 12, then 26 further bits; then all. Each length is one to type or paste.
ID_LENGTHS = (13, 18, 23)
SHORT_HEADERS = {
    "customer_aws_account_id": "account",
    "email": "e-mail",
    "full_name": "name",
    "hour_text": "hour",
    "item_id": "item",
    "next_try_at": "next try",
    "product_code": "product",
    "subscription_id": "subscription",
    "token_died_at": "given up",
    "token_fault": "fault",
}
WHOLE_COLUMNS = {"status", "outcome", "state", "age", "customer_aws_account_id", "quantity", "hour_text"}


def format_table(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], max_width: int | None = MAX_CELL_WIDTH
) -> str:
    """Return aligned columns under their names; a cell that is wider than `max_width` is cut, with None nothing is."""
    cells = ([_cut(_format_cell(row[column]), max_width) for column in columns] for row in rows)
    return "\n".join(_align([columns, *cells]))


def fit_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], width: int) -> str:
    """Return aligned columns that fit the width: ids are shortened, times relative, and long text is cut.

    Where even that is too wide, each row is a block of lines.
    """
    headers = [SHORT_HEADERS.get(column, column.removesuffix("_at")) for column in columns]
    lines = list(zip(*(_compact([row[column] for row in rows]) for column in columns), strict=True))
    widths = [max(map(_display_width, cells)) for cells in zip(headers, *lines, strict=True)]
    is_text = [all(isinstance(row[column], str | None) for row in rows) for column in columns]
    is_whole = [column in WHOLE_COLUMNS or not text for column, text in zip(columns, is_text, strict=True)]
    fitted = _fit(widths, is_whole, width - len(GAP) * (len(columns) - 1))
    if fitted is None:
        return "\n\n".join(format_record(dict(zip(headers, line, strict=True)), width) for line in lines)
    header = GAP.join(map(_pad, headers, fitted)).rstrip()
    return "\n".join([terminal.heading(header), *(_join(line, columns, fitted) for line in lines)])


def format_record(row: Mapping[str, Any], width: int | None = None) -> str:
    """Return one line for each column that has a value, or several where there is a width; nothing is cut.

    A value that is a list of rows, or of objects, has one line for each of them, in aligned columns.
    """
    label_width = max(map(len, row))
    lines = ((f"{name:<{label_width}}{GAP}", line) for name, value in row.items() for line in _value_lines(value))
    return "\n".join(text for head, line in lines for text in hang(head, line, width))


def hang(head: str, text: str, width: int | None) -> list[str]:
    """Return the text after the head, further lines below its beginning; on one line where there is no width."""
    if width is None:
        return [f"{head}{text}"]
    first, *rest = _wrap(text, max(width - len(head), MIN_HANGING_WIDTH))
    return [f"{head}{first}", *(f"{' ' * len(head)}{line}" for line in rest)]


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


def short_ids(ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return the beginning of each id, long enough to tell these apart."""
    distinct = set(ids)
    length = next((n for n in ID_LENGTHS if len({str(id_)[:n] for id_ in distinct}) == len(distinct)), None)
    return {id_: str(id_)[:length] for id_ in distinct}


def _compact(values: Sequence[object]) -> list[str]:
    shortened = short_ids([value for value in values if isinstance(value, UUID)])
    return [
        shortened[value]
        if isinstance(value, UUID)
        else ages.describe(value)
        if isinstance(value, datetime)
        else _format_cell(value)
        for value in values
    ]


def _fit(widths: list[int], is_whole: Sequence[bool], available: int) -> list[int] | None:
    """Return the widths, those of text columns reduced until they fit; None where they cannot."""
    widths = list(widths)
    texts = [index for index, whole in enumerate(is_whole) if not whole]
    while sum(widths) > available:
        widest = max(texts, key=widths.__getitem__, default=None)
        if widest is None or widths[widest] <= MIN_TEXT_WIDTH:
            return None
        widths[widest] -= 1
    return widths


def _join(line: Sequence[str], columns: Sequence[str], widths: Sequence[int]) -> str:
    cells = [_pad(_cut(cell, width), width) for cell, width in zip(line, widths, strict=True)]
    cells[-1] = cells[-1].rstrip()
    is_state = [column in WHOLE_COLUMNS for column in columns]
    return GAP.join(terminal.style(cell) if state else cell for cell, state in zip(cells, is_state, strict=True))


def _value_lines(value: object) -> list[str]:
    if isinstance(value, list):
        lists = [list(row.values()) if isinstance(row, Mapping) else row for row in value]
        return _align([[escape_unprintable(format_value(cell)) for cell in row] for row in lists])
    return [] if value is None else [escape_unprintable(format_value(value))]


def _wrap(text: str, width: int) -> list[str]:
    """Return lines of at most that width, broken at blanks, and within a word only where it is longer than a line."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if _display_width(joined) <= width:
            lines[-1] = joined
            continue
        rest, pieces = word, []
        while rest:
            piece = _beginning(rest, width)
            pieces.append(piece)
            rest = rest[len(piece) :]
        lines = [*lines, *pieces] if lines[-1] else pieces
    return lines


def _align(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(_display_width, cells)) for cells in zip(*lines, strict=True)]
    return [GAP.join(map(_pad, line, widths)).rstrip() for line in lines]


def _format_cell(value: object) -> str:
    return escape_unprintable(format_value(value)) or EMPTY_CELL


def _cut(text: str, width: int | None) -> str:
    if width is None or _display_width(text) <= width:
        return text
    return f"{_beginning(text, width - 1)}…"


def _beginning(text: str, width: int) -> str:
    """Return the longest beginning of the text that is at most so wide."""
    used = 0
    for index, character in enumerate(text):
        used += _display_width(character)
        if used > width:
            return text[:index]
    return text


def _pad(cell: str, width: int) -> str:
    return cell + " " * (width - _display_width(cell))


def _display_width(cell: str) -> int:
    # Chinese, Japanese and Korean letters take two columns of a terminal, combining accents none.
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in cell)

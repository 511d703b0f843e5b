"""Reads items from CSV: the header `dimension,value` of AWS's add-on, and more columns with the API's names.

subscription,dimension,quantity,at,tag:team
01a207c8-85e3-70e1-8187-c3ad0186f92b,gigabytes,1.5,2026-11-28T14:05:00Z,red
"""

import csv
from collections.abc import Iterable, Iterator, Sequence

from app.services.usage_imports.file_rows import FileRow, UnreadableFile

# AWS's add-on calls a quantity `value`.
COLUMNS = {"value": "quantity", **{name: name for name in ("id", "subscription", "dimension", "quantity", "at")}}
TAG_PREFIX = "tag:"
NAMES = "dimension, value (or quantity), id, subscription, at, and tag:KEY"


def read(lines: Iterable[str]) -> Iterator[FileRow]:
    """Yield the rows after the header; blank ones are left out. Raises UnreadableFile."""
    columns: list[str] = []
    for line, cells in _records(lines):
        if not columns:
            columns = _read_header(line, cells)
        elif _names(cells) == columns:
            raise UnreadableFile(line, "the header comes again. Import each file by itself, or remove this line.")
        else:
            yield FileRow(line, _item(line, columns, cells))


def _records(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, strict=True)
    while True:
        # A quoted cell may go on over several lines.
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise UnreadableFile(line, _explain(str(error))) from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, cells


def _explain(error: str) -> str:
    if "unexpected end of data" in error or "field limit" in error:
        return 'a quotation mark (") is opened and not closed.'
    if "expected after" in error:
        return 'there is text after a closing quotation mark ("). Write a mark within a text twice.'
    return "it has a line break that is none of CSV's. Save the file with the line ends of Unix or Windows."


def _names(cells: Sequence[str]) -> list[str]:
    return [
        name if name.startswith(TAG_PREFIX) else COLUMNS.get(name.lower(), "")
        for name in (cell.strip() for cell in cells)
    ]


def _read_header(line: int, cells: Sequence[str]) -> list[str]:
    names = _names(cells)
    if unknown := [cell for cell, name in zip(cells, names, strict=True) if name in ("", TAG_PREFIX)]:
        hint = " Separate the columns by commas." if ";" in unknown[0] or "\t" in unknown[0] else ""
        raise UnreadableFile(line, f"there is no column {unknown[0][:80]!a}.{hint} A header names: {NAMES}.")
    if twice := [name for name in names if names.count(name) > 1]:
        raise UnreadableFile(line, f"the column {twice[0]} is there twice (value is another name of quantity).")
    if missing := [name for name in ("dimension", "quantity") if name not in names]:
        raise UnreadableFile(line, f"the header has no column {missing[0]}. It names: {NAMES}.")
    return names


def _item(line: int, columns: Sequence[str], cells: Sequence[str]) -> dict[str, object]:
    if len(cells) != len(columns):
        hint = " Is a quantity written with a comma? Write 1.5." if len(cells) > len(columns) else ""
        raise UnreadableFile(line, f"it has {len(cells)} cells, and the header {len(columns)}.{hint}")
    # An empty cell is none: the API's members are left out as well.
    given = {name: cell for name, cell in zip(columns, cells, strict=True) if cell}
    item: dict[str, object] = {name: cell for name, cell in given.items() if not name.startswith(TAG_PREFIX)}
    tags = {name.removeprefix(TAG_PREFIX): cell for name, cell in given.items() if name.startswith(TAG_PREFIX)}
    return {**item, "tags": tags} if tags else item

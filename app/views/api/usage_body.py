"""Reads the items in the body of a request for usage: a JSON list, or a JSON object on each line."""

import json
from typing import Any

from flask import request

from app.services.metering import items
from app.services.metering.items import Unreadable
from app.views.api.problems import RefusedBody

JSON_TYPE = "application/json"
# The first is the usual one: https://github.com/ndjson/ndjson-spec
LINES_TYPES = ("application/x-ndjson", "application/jsonl", "application/ndjson", "application/x-jsonlines")


def read_values() -> list[object]:
    """Return the values of the items, in the request's order; one that cannot be read is an `Unreadable`.

    Raises:
        RefusedBody: nothing of the body counts. The error says what to send.
    """
    media_type = request.mimetype
    if media_type not in (JSON_TYPE, *LINES_TYPES):
        raise RefusedBody(415, f"Send Content-Type {JSON_TYPE} with a list of items, or {LINES_TYPES[0]} with lines.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RefusedBody(415, "Send the body without Content-Encoding: it is not decompressed.")
    try:
        text = request.get_data(cache=False).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedBody(400, f"The body must be UTF-8. Byte {error.start} is not.") from None
    return _read_list(text) if media_type == JSON_TYPE else _read_lines(text)


def _read_list(text: str) -> list[object]:
    try:
        values = _decode(text)
    except ValueError as error:
        raise RefusedBody(400, f"The body is not JSON: {error}.") from None
    if not isinstance(values, list):
        raise RefusedBody(400, "The body must be a list: put [ and ] around the items, also around a single one.")
    _check_count(len(values))
    return values


def _read_lines(text: str) -> list[object]:
    # Not splitlines(): texts in JSON may have the other characters that end a line for Python.
    numbered = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    _check_count(len(numbered))
    return [_read_line(number, line) for number, line in numbered]


def _read_line(number: int, line: str) -> object:
    try:
        return _decode(line)
    except ValueError as error:
        return Unreadable(f"Line {number} is not JSON: {error}.")


def _check_count(count: int) -> None:
    if count > items.MAX_ITEMS:
        raise RefusedBody(
            413,
            f"A request may have {items.MAX_ITEMS} items, and this one has {count}. None of them was kept: send them "
            f"in several requests.",
        )


def _decode(text: str) -> object:
    """Return the JSON value; ValueError says why there is none."""
    try:
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _read_object(pairs: list[tuple[str, Any]]) -> object:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        # Readers differ in which of the two they take.
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        return Unreadable(f"The field {twice[:40]!a} is there twice.", items.read_id(fields))
    return fields


def _read_number(_digits: str) -> int:
    # No field takes a number of JSON: its digits, which may be millions, need not be read.
    return 0


DECODER = json.JSONDecoder(
    object_pairs_hook=_read_object, parse_float=_read_number, parse_int=_read_number, parse_constant=_read_number
)

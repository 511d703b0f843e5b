"""Imports a file of usage in two passes: the first finds what cannot be read, so that nothing of such a file is kept.

An item without an id gets one of the file's content and its row. So a file that is imported twice counts once, and two
equal rows of it count twice. Line ends, blank lines and a byte order mark make no other file.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

from sqlalchemy import Connection

from app.database.transactions import query
from app.services.metering import accept, licenses
from app.services.metering.hour_book import ItemVerdict
from app.services.metering.items import MAX_ITEMS
from app.services.usage_imports import csv_rows, json_rows
from app.services.usage_imports.file_rows import FileRow, UnreadableFile, text_lines

SNIFFED_BYTES = 4096
# Of ids that are made for rows without one.
ID_PREFIX = "file-"


@dataclass(frozen=True)
class Defaults:
    """What rows get that do not say it: the subscription's id or the license's ARN, and an RFC 3339 time.

    `subscription_key` is the same for each name of the subscription.
    """

    subscription: str | None = None
    subscription_key: str | None = None
    at: str | None = None


@dataclass
class CheckedFile:
    """A file whose rows can all be read: how many there are, and a digest of them."""

    rows: int = 0
    uses_default_time: bool = False
    digest: str = ""


@dataclass
class Batch:
    """What became of some rows. `remarks` counts those of accepted items, by their first word: Held or Late."""

    rows: int = 0
    accepted: int = 0
    known: int = 0
    remarks: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[int, ItemVerdict]] = field(default_factory=list)

    def add(self, other: "Batch") -> None:
        """Add the counts of another, without its refused rows."""
        self.rows += other.rows
        self.accepted += other.accepted
        self.known += other.known
        self.remarks += other.remarks


@query
def find_subscription_key(connection: Connection, name: str) -> str | None:
    """Return the id of the subscription that an id or a license's ARN names; None where there is none."""
    target = licenses.find_targets(connection, [name]).get(name)
    return str(target.subscription.id) if target else None


def check(stream: BinaryIO, defaults: Defaults) -> CheckedFile:
    """Read the whole file, from where the stream stands.

    Raises:
        UnreadableFile: nothing of it can be imported.
    """
    checked = CheckedFile()
    digest = hashlib.sha256()
    for row in _read(stream):
        _complete(row, defaults)
        checked.rows += 1
        checked.uses_default_time |= _lacks(row.value, "at")
        digest.update(json.dumps(row.value, sort_keys=True).encode())
        digest.update(b"\n")
    if not checked.rows:
        raise UnreadableFile(1, "the file has no items.")
    checked.digest = digest.hexdigest()
    return checked


def run(stream: BinaryIO, checked: CheckedFile, defaults: Defaults, *, is_dry_run: bool = False) -> Iterator[Batch]:
    """Accept the rows, a thousand in each transaction, and yield what became of them.

    Raises:
        DatabaseUnavailable: some rows were not accepted. To import the file again is safe.
    """
    numbered = enumerate(_read(stream), 1)
    while part := list(islice(numbered, MAX_ITEMS)):
        values = [_with_id(number, _complete(row, defaults), row.value, checked, defaults) for number, row in part]
        verdicts = (accept.try_out if is_dry_run else accept.accept)(values, None)
        batch = Batch(len(part))
        for (_, row), verdict in zip(part, verdicts, strict=True):
            if verdict.verdict != "accepted":
                batch.refused.append((row.line, verdict))
                continue
            batch.accepted += 1
            batch.known += verdict.is_known
            if verdict.detail:
                batch.remarks[verdict.detail.partition(":")[0]] += 1
        yield batch


def _read(stream: BinaryIO) -> Iterator[FileRow]:
    start = stream.tell()
    beginning = stream.read(SNIFFED_BYTES)
    stream.seek(start)
    match beginning.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]:
        case b"[":
            return json_rows.read_list(stream)
        case b"{":
            return json_rows.read_lines(text_lines(stream))
        case _:
            return csv_rows.read(text_lines(stream))


def _lacks(value: object, name: str) -> bool:
    return isinstance(value, dict) and value.get(name) is None


def _complete(row: FileRow, defaults: Defaults) -> object:
    """Return the row's value with what the whole file has in common."""
    value = row.value
    if not isinstance(value, dict):
        return value
    completed = dict(value)
    for name, default in (("subscription", defaults.subscription), ("at", defaults.at)):
        if _lacks(value, name):
            if default is None:
                what = "names no subscription" if name == "subscription" else "has no time (at)"
                raise UnreadableFile(row.line, f"it {what}. Add it to the file, or give --{name}.")
            completed[name] = default
    return completed


def _with_id(number: int, completed: object, value: object, checked: CheckedFile, defaults: Defaults) -> object:
    if not isinstance(completed, dict) or not _lacks(value, "id"):
        return completed
    # The same rows for another subscription, or of another time, are other usage.
    parts = [
        checked.digest,
        str(defaults.subscription_key) if _lacks(value, "subscription") else "",
        str(defaults.at) if _lacks(value, "at") else "",
    ]
    return {**completed, "id": f"{ID_PREFIX}{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:32]}-{number}"}

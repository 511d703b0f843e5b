"""The rows of a file of usage, one at a time: CSV, JSON Lines, or a list of JSON. A file of any size fits in memory."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from app.errors import FoyerError

# No item is nearly as long: a longer line is no line of items.
MAX_LINE_BYTES = 1_000_000
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
ZIP_MARK = b"PK\x03\x04"


@dataclass(frozen=True)
class FileRow:
    """One row: the number of its first line, and the item as the API would take it, maybe with members missing."""

    line: int
    value: object


class UnreadableFile(FoyerError):
    """The file cannot be read at all. `code` says in which line, why, and what to do."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"Line {line}: {problem}")


def text_lines(stream: BinaryIO) -> Iterator[str]:
    """Yield the lines with their ends, without a byte order mark. Raises UnreadableFile: they are no UTF-8."""
    number = 0
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            raise UnreadableFile(number, f"it is longer than {MAX_LINE_BYTES} bytes, as no line with an item is.")
        check_bytes(raw, number)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UnreadableFile(
                number, f"its byte {error.start + 1} is no UTF-8. Save the file as UTF-8, and import it again."
            ) from None
        yield text.removeprefix("\ufeff") if number == 1 else text


def check_bytes(raw: bytes, line: int) -> None:
    """Raise UnreadableFile where the bytes are of a file that is no text in UTF-8."""
    if line == 1 and raw.startswith(UTF16_MARKS):
        raise UnreadableFile(line, "the file is UTF-16. Save it as UTF-8 (in Excel: CSV UTF-8), and import it again.")
    if line == 1 and raw.startswith(ZIP_MARK):
        raise UnreadableFile(
            line, "the file is a workbook or an archive. Save its sheet as CSV UTF-8, and import that."
        )
    if b"\0" in raw:
        raise UnreadableFile(line, "the file is no text in UTF-8: it has bytes of zero. Save it as UTF-8.")

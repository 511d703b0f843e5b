"""Reads items from JSON Lines, or from a list of JSON, a part at a time."""

import codecs
import json
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NoReturn

from app.services.usage_imports.file_rows import FileRow, UnreadableFile, check_bytes

PART_BYTES = 65_536
# A list's item is read with the parts that it is in: so a broken one is found before all of a file is in memory.
MAX_ITEM_LENGTH = 2 * PART_BYTES
BLANKS = " \t\r\n"
# Deep nesting raises RecursionError, and a number of thousands of digits a ValueError of its own.
ERRORS = (ValueError, RecursionError)


def read_lines(lines: Iterable[str]) -> Iterator[FileRow]:
    """Yield the item of each line; blank lines are left out. Raises UnreadableFile."""
    for number, line in enumerate(lines, 1):
        if text := line.strip():
            try:
                yield FileRow(number, DECODER.decode(text))
            except ERRORS as error:
                raise UnreadableFile(number, f"{_explain(error)} Each line is one item.") from None


def read_list(stream: BinaryIO) -> Iterator[FileRow]:
    """Yield the items of the file's list. Raises UnreadableFile."""
    text = _ListText(stream)
    text.expect("[")
    if text.peek() == "]":
        text.expect("]")
    else:
        yield text.take_item()
        while text.peek() == ",":
            text.expect(",")
            yield text.take_item()
        text.expect("]")
    if text.peek():
        text.fail("there is more after the end of the list. For one item in each line, leave [ and ] out.")


class _ListText:
    """The text of a list from where it was read to, and the number of that line."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text, self._position, self._line, self._is_ended = "", 0, 1, False

    def fail(self, problem: str) -> NoReturn:
        """Raise UnreadableFile for where the text was read to."""
        raise UnreadableFile(self._line, problem)

    def peek(self) -> str:
        """Return the next character after blanks; an empty text at the end."""
        while True:
            while self._position < len(self._text) and self._text[self._position] in BLANKS:
                self._move(1)
            if self._position < len(self._text) or not self._read_more():
                return self._text[self._position : self._position + 1]

    def expect(self, character: str) -> None:
        """Go on behind the character."""
        if (found := self.peek()) != character:
            self.fail(f"{character} is wanted, and {ascii(found) if found else 'the end of the file'} is there.")
        self._move(1)

    def take_item(self) -> FileRow:
        """Return the next item, and go on behind it."""
        self.peek()
        line = self._line
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._position)
            except ERRORS as error:
                if len(self._text) - self._position > MAX_ITEM_LENGTH or not self._read_more():
                    self.fail(f"{_explain(error)} The file is a list of items.")
                continue
            self._move(end - self._position)
            return FileRow(line, value)

    def _move(self, length: int) -> None:
        self._line += self._text.count("\n", self._position, self._position + length)
        self._position += length

    def _read_more(self) -> bool:
        if self._is_ended:
            return False
        raw = self._stream.read(PART_BYTES)
        check_bytes(raw, self._line)
        self._is_ended = not raw
        try:
            more = self._decoder.decode(raw, final=self._is_ended)
        except UnicodeDecodeError:
            self.fail("here, or soon after, are bytes that are no UTF-8. Save the file as UTF-8, and import it again.")
        self._text, self._position = self._text[self._position :] + more, 0
        return not self._is_ended


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("it has a member twice.")
    return members


def _explain(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"it is no JSON: {error.msg} (column {error.colno})."
    return (
        str(error) if "twice" in str(error) else "it has JSON that is nested too deeply, or a number that is too long."
    )


DECODER = json.JSONDecoder(object_pairs_hook=_members)

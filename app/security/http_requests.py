"""What the gunicorn worker needs to know of HTTP: where a request ends, and how to refuse one that is not valid.

Gunicorn's own parser decides whether a request is valid.
"""

import errno
import re
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors

from app.security.headers import MAX_BODY_BYTES, SECURITY_HEADERS, max_body_bytes

# A head, and what chunks add to a body: more than these and the body is refused, however much of it is still to come.
MAX_OTHER_BYTES = MAX_BODY_BYTES
# Of most requests: usage may have more.
MAX_REQUEST_BYTES = MAX_BODY_BYTES + MAX_OTHER_BYTES
# Gunicorn copies what is left of the body for each chunk: in very small chunks, a large body takes minutes.
MAX_COPIED_BYTES = 1024**3
HEAD_END = re.compile(rb"\n\r?\n")
CHUNKED = re.compile(rb"\ntransfer-encoding:", re.IGNORECASE)
CONTENT_LENGTH = re.compile(rb"\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
EXPECTS_CONTINUE = re.compile(rb"\nexpect:[ \t]*100-continue", re.IGNORECASE)
MAX_LENGTH_DIGITS = 10
REQUEST_LINE = re.compile(rb"([A-Z]+) ([^ ?\r\n]+)")
STATUS_BY_ERROR = {
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


class RequestBuffer:
    """The bytes of a request so far, and of the next one if the client has sent it already."""

    def __init__(self) -> None:
        self.data = bytearray()
        # Where the next chunk begins; None while the head is incomplete, or if the body is not chunked.
        self._next_chunk: int | None = None
        # The size of the request in bytes; None while it is not known.
        self._size: int | None = None
        self._searched = 0
        self._max_body_bytes = MAX_BODY_BYTES
        self._chunks = 0
        self.expects_continue = False

    def is_complete(self) -> bool:
        """Return whether nothing of the request is missing, or what came already shows that it is malformed."""
        if self._size is None and self._next_chunk is None:
            self._read_head()
        if self._next_chunk is not None:
            return self._has_last_chunk(self._next_chunk)
        return self._size is not None and len(self.data) >= self._size

    def is_too_large(self) -> bool:
        """Return whether the request is going to be refused, so that the rest does not matter."""
        is_too_large = max(len(self.data), self._size or 0) > self._max_body_bytes + MAX_OTHER_BYTES
        return is_too_large or self._chunks * len(self.data) > MAX_COPIED_BYTES

    def is_large(self) -> bool:
        """Return whether it has come to more than most requests may have."""
        return len(self.data) > MAX_REQUEST_BYTES

    def _read_head(self) -> None:
        head_end = HEAD_END.search(self.data, self._searched)
        if not head_end:
            # The last bytes may be the first ones of the end.
            self._searched = max(len(self.data) - 2, 0)
            return
        head = self.data[: head_end.end()]
        self.expects_continue = EXPECTS_CONTINUE.search(head) is not None
        if line := REQUEST_LINE.match(head):
            self._max_body_bytes = max_body_bytes(line[1].decode(), line[2].decode("latin-1"))
        if CHUNKED.search(head):
            self._next_chunk = len(head)
        elif length := CONTENT_LENGTH.search(head):
            # int() raises ValueError for thousands of digits.
            digits = length[1].lstrip(b"0") or b"0"
            body_size = int(digits[:MAX_LENGTH_DIGITS])
            # Too large: `is_too_large` finds so by the length that it announces.
            is_refused = body_size > self._max_body_bytes
            self._size = len(head) + (self._max_body_bytes + MAX_OTHER_BYTES if is_refused else body_size)
        else:
            self._size = len(head)

    def _has_last_chunk(self, position: int) -> bool:
        while (line_end := self.data.find(b"\r\n", position)) >= 0:
            try:
                size = int(self.data[position:line_end].partition(b";")[0], 16)
            except ValueError:
                return True
            if size <= 0:
                return self.data.find(b"\r\n\r\n", line_end) >= 0 or size < 0
            self._next_chunk = position = line_end + 2 + size + 2
            self._chunks += 1
        return False


class CompleteBodyReader:
    """Reads a request body to its announced end; one that breaks off or is malformed raises ConnectionResetError."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader

    def read(self, size: int) -> bytes:
        """Return that many bytes, fewer only at the end of the body."""
        # None for a chunked body, which announces no length.
        bytes_left: int | None = getattr(self.reader, "length", None)
        try:
            data: bytes = self.reader.read(size)
        except errors.ParseException as error:
            raise ConnectionResetError(errno.ECONNRESET, type(error).__name__) from None
        if len(data) < min(size, bytes_left or 0):
            raise ConnectionResetError(errno.ECONNRESET, "the body broke off")
        return data


def refusal_status(error: Exception) -> HTTPStatus:
    """Return the status for a request that gunicorn's parser refused with this error."""
    return STATUS_BY_ERROR.get(type(error), HTTPStatus.BAD_REQUEST)


def plain_text_response(status: HTTPStatus) -> bytes:
    """Return a response to a request that no view can answer. The connection ends with it."""
    body = f"{status.value} {status.phrase}\n"
    headers = {
        **SECURITY_HEADERS,
        "Cache-Control": "no-store",
        "Connection": "close",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": str(len(body)),
    }
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", body]).encode()

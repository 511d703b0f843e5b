"""Look-ups of host names that a test lets hang, as they do while no name server answers."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

# A test whose application waits for a look-up fails then, and does not wait for ever.
LONGEST_HANG_SECONDS = 20


class NameLookups:
    """Look-ups of names under `.example`: they lead to this machine, and hang between `hang` and `resume`."""

    def __init__(self) -> None:
        self._look_up = socket.getaddrinfo
        self._may_answer = threading.Event()
        self._may_answer.set()

    def hang(self) -> None:
        self._may_answer.clear()

    def resume(self) -> None:
        self._may_answer.set()

    def look_up(self, host: Any, *arguments: Any, **options: Any) -> Any:
        """Stand in for `socket.getaddrinfo`."""
        if not str(host).endswith(".example"):
            return self._look_up(host, *arguments, **options)
        if not self._may_answer.wait(LONGEST_HANG_SECONDS):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return self._look_up("127.0.0.1", *arguments, **options)


@contextmanager
def under_control(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameLookups]:
    """Replace name resolution until the test ends; look-ups that hang go on at the end of the `with` block."""
    lookups = NameLookups()
    monkeypatch.setattr(socket, "getaddrinfo", lookups.look_up)
    try:
        yield lookups
    finally:
        lookups.resume()

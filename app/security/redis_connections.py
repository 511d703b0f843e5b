"""Connections to Redis that keep the request's deadline, also while its name is looked up."""

import socket
from typing import Any

from redis import Connection, SSLConnection

from app import deadline

# So long a Redis that is well may take, whatever came before in the request.
MIN_SECONDS = 0.25


class BoundedConnection(Connection):
    """No answer takes longer than the URI's timeout, and connecting no longer than both its timeouts together."""

    def _connect(self) -> Any:
        # redis-py's own timeout is for each of the name's addresses, and none for looking them up.
        seconds = _add(self.socket_connect_timeout, self.socket_timeout)
        return deadline.bounded_call(super()._connect, _bounded(seconds), discard=socket.socket.close)

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        """Return the answer to the command that was sent."""
        if self._sock:
            self._sock.settimeout(_bounded(self.socket_timeout))
        return super().read_response(*arguments, **options)  # type: ignore[no-untyped-call]


class BoundedSSLConnection(BoundedConnection, SSLConnection):
    """The same over TLS."""


def bounded(connection_class: type[Any]) -> type[Connection]:
    """Return the class of connections to use in place of redis-py's."""
    return BoundedSSLConnection if issubclass(connection_class, SSLConnection) else BoundedConnection


def _add(first: float | None, second: float | None) -> float | None:
    return first + second if first and second else None


def _bounded(seconds: float | None) -> float:
    left = max(deadline.seconds_before_database(), MIN_SECONDS)
    return min(seconds, left) if seconds else left

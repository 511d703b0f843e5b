"""Lets a call to AWS use a connection that is open already, or none.

A thread that has to keep a deadline must not open one: to look up a name takes no timeout, and to connect has one for
each of the name's addresses.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)
from botocore.exceptions import HTTPClientError

_may_connect: ContextVar[bool] = ContextVar("may_connect_to_aws", default=True)


class NoOpenConnection(Exception):
    """The call needs a new connection, and was not sent."""


class _HttpConnection(AWSHTTPConnection):
    def connect(self) -> None:
        if not _may_connect.get():
            raise NoOpenConnection
        super().connect()


class _HttpsConnection(_HttpConnection, AWSHTTPSConnection):  # type: ignore[misc]
    pass


class _HttpPool(AWSHTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(AWSHTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


def prepare(client: Any) -> None:
    """Let the client's calls be made in blocks of `only`. botocore has no public way to choose the connections."""
    client._endpoint.http_session._pool_classes_by_scheme.update(http=_HttpPool, https=_HttpsPool)


@contextmanager
def only() -> Iterator[None]:
    """Make the calls in the block on open connections.

    Raises:
        NoOpenConnection: a call needs a new one.
    """
    token = _may_connect.set(False)
    try:
        yield
    except HTTPClientError as error:
        if isinstance(error.kwargs.get("error"), NoOpenConnection):
            raise NoOpenConnection from None
        raise
    finally:
        _may_connect.reset(token)

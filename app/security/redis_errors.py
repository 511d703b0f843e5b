"""Why Redis does not count: one word for the log and for the doctor's advice."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

# Redis has no exception class for these: the first words of its answer, or of redis-py's message.
REASONS_BY_TEXT = {
    "MISCONF": "disk",
    "DB index is out of range": "database_number",
    "Connection closed by server": "closed",
    # Redis wrote why, and closed the connection, before it was asked anything: redis-py drops what it wrote.
    "Connection not ready": "closed",
    "max number of clients reached": "closed",
}


@dataclass(frozen=True)
class RedisProblem:
    """`reason` is one word. `detail` is what Redis or the network said, without the password."""

    reason: str
    detail: str


def describe(error: BaseException) -> RedisProblem:
    """Return the problem that the exception is about; an unknown one has its class as the reason."""
    errors = list(_chain(error))
    [first, *_] = errors
    reason = next((reason for each in errors if (reason := _reason(each))), type(first).__name__)
    return RedisProblem(reason, " ".join(str(first).split()))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception without the wrapper of `limits`, and what caused it."""
    from limits.errors import StorageError  # noqa: PLC0415  # slow to import

    cause: BaseException | None = error.__cause__ or error if isinstance(error, StorageError) else error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _reason(error: BaseException) -> str | None:
    from redis import exceptions  # noqa: PLC0415  # slow to import

    text = str(error)
    if by_text := next((reason for start, reason in REASONS_BY_TEXT.items() if text.startswith(start)), None):
        return by_text
    reasons_by_class: dict[str, tuple[type[BaseException], ...]] = {
        "certificate": (ssl.SSLCertVerificationError,),
        "tls": (ssl.SSLError,),
        "timeout": (TimeoutError, exceptions.TimeoutError),
        "password": (exceptions.AuthenticationError, exceptions.AuthorizationError),
        "permission": (exceptions.NoPermissionError,),
        "memory": (exceptions.OutOfMemoryError,),
        "read_only": (exceptions.ReadOnlyError,),
        "loading": (exceptions.BusyLoadingError,),
        "cluster": (exceptions.ClusterError, exceptions.AskError),
        "dns": (socket.gaierror,),
        "refused": (ConnectionRefusedError,),
        "closed": (ConnectionResetError, BrokenPipeError),
        "unreachable": (OSError,),
    }
    return next((reason for reason, classes in reasons_by_class.items() if isinstance(error, classes)), None)

"""What an error of the database means: try again, drop the connection, or the database is unavailable.

Codes are PostgreSQL's SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html), the names of
SQLite's errors (https://www.sqlite.org/rescode.html), or the system's own, such as ENOSPC, for files beside SQLite's.
"""

import errno
import sqlite3

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError

from app.errors import DatabaseUnavailable

# A serialization failure, a deadlock, or a row that another transaction inserted or deleted meanwhile: the retry sees
# that row. https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html
RETRYABLE_CODES = {"40001", "40P01", "23503", "23505", "SQLITE_CONSTRAINT_UNIQUE"}
# PostgreSQL reports a missing table or column as a ProgrammingError, SQLite as an OperationalError. PostgreSQL's
# "insufficient privilege" is also what it says on a file system that is read-only.
UNAVAILABLE_CODES = {"42P01", "42703", "42501"}
READ_ONLY_CODES = ("25006", "SQLITE_READONLY", "EROFS", "EACCES")
FILE_MISSING_CODE = "ENOENT"
FILE_MOVED_CODE = "SQLITE_READONLY_DBMOVED"
DISK_FULL_CODES = ("53100", "SQLITE_FULL", "ENOSPC", "EDQUOT")
# DATABASE_IAM_AUTH is set, and there are no AWS credentials to log in with.
NO_CREDENTIALS = "NoCredentials"
TIMEOUT_CODES = ("57014", "DeadlineExceeded")
LOCKED_CODES = ("55P03", "40P01", "SQLITE_BUSY", "SQLITE_LOCKED")
# The connection answers, and is of no use: it leads to a primary that was demoted or is shutting down, its pooler has
# lost the prepared statements, or it has a file open that was read-only, or is another one now. A new one may work.
USELESS_CONNECTION_CODES = (
    *READ_ONLY_CODES,
    *("08", "57P", "26000", "42P05"),
    *("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_CORRUPT", "SQLITE_NOTADB"),
)


def drop_useless_connections(engine: Engine) -> None:
    """Let the pool forget a connection of no use, and all that were made before it: they lead to the same server."""
    event.listen(engine, "handle_error", _mark_useless)


def _mark_useless(context: ExceptionContext) -> None:
    code = _code(context.original_exception)
    if context.connection is None or not code.startswith(USELESS_CONNECTION_CODES):
        return
    context.is_disconnect = True
    if code.startswith("SQLITE_READONLY") and context.engine and context.execution_context:
        # A process's connections to one SQLite file share what the first has found out: close them all, and at once.
        # An open statement would keep this one open.
        context.execution_context.cursor.close()
        context.engine.dispose()


def code_of(error: DBAPIError) -> str:
    """Return PostgreSQL's SQLSTATE or SQLite's name of the error; empty where there is neither."""
    return _code(error.orig)


def _code(error: BaseException | None) -> str:
    return getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None) or ""


def words_of(error: BaseException | None) -> str:
    """Return what the database or the system itself said, in one line; empty where neither did."""
    source = error.orig if isinstance(error, DBAPIError) else error if isinstance(error, OSError) else ""
    return " ".join(str(source).split())


def file_unavailable(error: OSError) -> DatabaseUnavailable:
    """Return the exception for a file beside SQLite's that cannot be made or opened."""
    return DatabaseUnavailable(f"{type(error).__name__} {errno.errorcode.get(error.errno or 0, '')}".rstrip())


def translate(error: DBAPIError) -> Exception:
    """Return DatabaseUnavailable for a fault of the database, or the error itself, which is a fault of ours."""
    code = code_of(error)
    # A statement that timed out and a corrupt SQLite file, which is a plain DatabaseError, count as unavailable.
    is_unavailable = (
        isinstance(error, OperationalError | InterfaceError | InternalError)
        or type(error.orig) is sqlite3.DatabaseError
        or code in UNAVAILABLE_CODES
        or code.startswith(USELESS_CONNECTION_CODES)
    )
    return DatabaseUnavailable(f"{type(error.orig).__name__} {code}".rstrip()) if is_unavailable else error

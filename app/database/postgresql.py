"""PostgreSQL: connections that keep our deadline, and that work behind a pooler as well.

PgBouncer and RDS Proxy give each transaction any of their connections to the server. So nothing may be set at the
start of a connection, and nothing may stay on it after a transaction: no `options`, no `SET`, no prepared statements.
The limits that the server keeps belong to the role in the database: `foyer db upgrade` sets them there.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, cast

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import Connection, Engine, Row, bindparam, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError

from app import deadline
from app.database.clock import Clock

T = TypeVar("T")

# What DATABASE_URL says in its query wins. `prepare_threshold=5` there asks for prepared statements.
CONNECT_DEFAULTS: Mapping[str, Any] = {"connect_timeout": 3, "tcp_user_timeout": 5000, "prepare_threshold": None}
# A rollback at the deadline still gets the time that a server needs that is well.
MIN_WAIT_SECONDS = 0.05
# In milliseconds. They end what the server still does for a client that has given up.
# `transaction_timeout` exists since PostgreSQL 17.
ROLE_LIMITS = {
    "statement_timeout": 5000,
    "lock_timeout": 3000,
    "idle_in_transaction_session_timeout": 10000,
    "transaction_timeout": 30000,
}
LONGEST_LIMIT = 60_000
SELECT_LIMITS = text(
    "SELECT name, setting,"
    " format('ALTER ROLE %I IN DATABASE %I SET %I = ', current_user, current_database(), name) AS statement,"
    " EXISTS (SELECT 1 FROM pg_db_role_setting, unnest(setconfig) AS set_by_somebody"
    "  WHERE split_part(set_by_somebody, '=', 1) = name"
    "  AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))"
    "  AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))) AS is_set"
    " FROM pg_settings WHERE name IN :names ORDER BY name"
).bindparams(bindparam("names", list(ROLE_LIMITS), expanding=True))


class DeadlineExceeded(psycopg.OperationalError, deadline.DeadlineError):
    """The server did not answer by our deadline."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection on which no wait goes beyond the deadline; one that would is closed, and the pool forgets it."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Run psycopg's generator to its end; raise DeadlineExceeded at the deadline."""
        seconds = max(deadline.seconds_left(), MIN_WAIT_SECONDS)
        ends_at = time.monotonic() + seconds
        try:
            return super().wait(gen, interval, seconds if timeout is None else min(timeout, seconds))
        except psycopg.OperationalError as error:
            if time.monotonic() < ends_at:
                raise
            # Otherwise the next statement would read this one's late answer.
            self.pgconn.finish()
            raise DeadlineExceeded("the database did not answer in time") from error


def connect_args(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return what to connect with, beside what the query of DATABASE_URL says."""
    arguments = {name: value for name, value in CONNECT_DEFAULTS.items() if name not in query}
    if "prepare_threshold" in query:
        arguments["prepare_threshold"] = int(query["prepare_threshold"])
    return arguments


def configure_engine(engine: Engine, clock: Clock, new_password: Callable[[], str] | None) -> None:
    """Let every connection of the engine keep the deadline, and compare the clocks.

    `new_password` returns the password of a connection that is made now; None: the URL's.
    """
    event.listen(engine, "do_connect", partial(_connect, new_password))
    event.listen(engine, "connect", partial(_compare_clocks, clock))
    event.listen(engine, "checkout", partial(_compare_clocks_again, clock))


def _compare_clocks_again(clock: Clock, connection: BoundedConnection, record: object, _proxy: object) -> None:
    try:
        _compare_clocks(clock, connection, record)
    except psycopg.Error as error:
        # The pool makes a new connection in its place, which compares them.
        raise DisconnectionError("the database did not tell its time") from error


def _compare_clocks(clock: Clock, connection: BoundedConnection, _record: object) -> None:
    def read_database_time() -> datetime:
        # Outside a transaction, so that there is one round trip to measure.
        connection.autocommit = True
        [database_time] = connection.execute("SELECT clock_timestamp()").fetchall()[0]
        connection.autocommit = False
        return cast("datetime", database_time)

    clock.compare(read_database_time)


def _connect(
    new_password: Callable[[], str] | None,
    _dialect: object,
    _record: object,
    args: tuple[Any, ...],
    parameters: dict[str, Any],
) -> BoundedConnection:
    password = {"password": new_password()} if new_password else {}
    # psycopg's own timeout is for each address of each host, and none for looking them up.
    try:
        connection: BoundedConnection = deadline.bounded_call(
            partial(BoundedConnection.connect, *args, **parameters | password),
            deadline.seconds_left(),
            discard=BoundedConnection.close,
        )
    except TimeoutError:
        raise DeadlineExceeded("the database did not accept a connection in time") from None
    return connection


def set_role_limits(connection: Connection) -> list[str]:
    """Set the limits of the role in this database where nobody has set any; return the statements that failed."""
    failed = []
    for row in connection.execute(SELECT_LIMITS).all():
        if row.is_set:
            continue
        statement = _limit_statement(row)
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(statement)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            # The role may not change itself, or the server is none of PostgreSQL's own.
            failed.append(statement)
    return failed


def missing_limits(connection: Connection) -> list[str]:
    """Return the statements that set the limits that this role lacks, or that are longer than a minute."""
    rows = connection.execute(SELECT_LIMITS).all()
    return [_limit_statement(row) for row in rows if not 0 < int(row.setting) <= LONGEST_LIMIT]


def _limit_statement(row: Row[Any]) -> str:
    return f"{row.statement}'{ROLE_LIMITS[row.name] // 1000}s'"

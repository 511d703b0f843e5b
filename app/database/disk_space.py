"""Tries whether the database can still grow: a row that is changed in place needs no space, a buyer's answers do."""

import os
import tempfile
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.database import faults, sqlite_files
from app.database.transactions import current_database, query

TRIED_BYTES = 256 * 1024
# A server that is none of PostgreSQL's own may not know the settings, and one may allow no temporary file: then a full
# disk is noticed only by a write that fails.
NOT_TRIED_CODES = {"42704", "42883", "0A000", "53400"}
# A result that does not fit into so little memory is written to a temporary file, here beside the tables. The file
# ends with the statement. SET LOCAL, because RDS Proxy keeps a session apart for good that sets anything for longer.
USE_LITTLE_MEMORY = text("SET LOCAL work_mem = '64kB'")
SELECT_TABLESPACE = text(
    "SELECT quote_literal(coalesce((SELECT spcname FROM pg_tablespace JOIN pg_class"
    " ON pg_class.reltablespace = pg_tablespace.oid WHERE pg_class.oid = to_regclass('subscriptions')"
    " AND has_tablespace_privilege(spcname, 'CREATE')), ''))"
)
WRITE_A_FILE = text(
    "WITH rows AS MATERIALIZED (SELECT repeat(md5(CAST(n AS text)), 64) FROM generate_series(1, 128) AS n)"
    " SELECT count(*) FROM rows"
)


def check() -> None:
    """Allocate some space where the database is, and release it at once.

    Raises:
        DatabaseUnavailable: there is none.
    """
    if current_database().sqlite_writer:
        _allocate_beside(Path(sqlite_files.locate(str(current_database().read_engine.url.database))))
        return
    _write_a_file()


def _allocate_beside(path: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=path.parent, buffering=0) as file:
            os.posix_fallocate(file.fileno(), 0, TRIED_BYTES)
    except OSError as error:
        raise faults.file_unavailable(error) from error


@query
def _write_a_file(connection: Connection) -> None:
    try:
        connection.execute(USE_LITTLE_MEMORY)
        tablespace = connection.scalar(SELECT_TABLESPACE)
        connection.exec_driver_sql(f"SET LOCAL temp_tablespaces = {tablespace}")
        connection.execute(WRITE_A_FILE)
    except DBAPIError as error:
        if faults.code_of(error) not in NOT_TRIED_CODES:
            raise
        connection.rollback()

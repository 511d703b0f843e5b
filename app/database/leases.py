"""Leases: a worker claims the row that has been due for longest, and no other worker claims it until the lease ends.

A table that works as a queue has one column with the time at which a row is due, such as `outbox.next_try_at`.
To claim a row, the worker moves that time to the end of its lease, in the statement that finds the row:

    12:00:00  due 11:59:58  worker A claims the row: due 12:00:30, the end of A's lease
    12:00:01                worker B finds no row that is due
    12:00:02                worker A is done: it sets the due time to NULL, or to the time of the next try

If worker A dies, the row is due again at 12:00:30. If worker A takes longer than its lease, another worker may claim
the row: worker A writes its result only where the due time is still the end of its own lease (`is_leased`).
Times are UTC, by the database's clock (`app.database.clock`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Connection, Row, Table, TextualSelect, and_, bindparam, text

from app.database import clock


@dataclass(frozen=True)
class Lease:
    """The id of a claimed row, and the time at which the claim ends."""

    id: UUID
    until: datetime

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of `is_leased`."""
        return {"leased_id": self.id, "leased_until": self.until}


def claim_statement(
    table: Table, due: str, *, updates: Mapping[str, str] | None = None, condition: str = ""
) -> TextualSelect:
    """Return the statement that claims the row that has been due for longest, and returns all its columns.

    `due` names the column with the due time. In SQL, `updates` are new values of other columns, and `condition` limits
    the rows. The statement's parameters: `now`, `lease_until`, and those of the condition.
    """
    columns = list(table.columns)
    assignments = ", ".join(f"{name} = {value}" for name, value in {due: ":lease_until", **(updates or {})}.items())
    is_due = f"{due} <= :now"
    candidate = f"SELECT id FROM {table.name} WHERE {condition or '1 = 1'} AND {is_due} ORDER BY {due} LIMIT 1"  # noqa: S608
    # `is_due` again: of two workers that find the same row, the second sees here that the first has claimed it.
    statement = text(
        f"UPDATE {table.name} SET {assignments} WHERE {is_due} AND id = ({candidate})"  # noqa: S608  # names of our own
        f" RETURNING {', '.join(column.name for column in columns)}"
    )
    times = [bindparam(name, type_=table.c[due].type) for name in ("now", "lease_until")]
    return statement.bindparams(*times).columns(*columns)


def claim(
    connection: Connection, statement: TextualSelect, duration: timedelta, **parameters: object
) -> tuple[Lease, Row[Any]] | None:
    """Return the lease and the row as the claim left it; None where no row is due."""
    now = clock.now()
    until = now + duration
    row = connection.execute(statement, {"now": now, "lease_until": until, **parameters}).one_or_none()
    return (Lease(row.id, until), row) if row else None


def is_leased(id_column: Column[UUID], due: Column[Any]) -> ColumnElement[bool]:
    """Return the condition that the lease is still valid; its parameters are `Lease.parameters`."""
    return and_(id_column == bindparam("leased_id"), due == bindparam("leased_until"))

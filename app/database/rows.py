"""Row dictionaries, optional filters and id parsing, shared by the reports, the API and the commands."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Connection, Select

RowDict = dict[str, Any]
# Sorts before every id, because ids are UUIDv7. "After MIN_ID" is the first page of a scan in the order of ids.
MIN_ID = UUID(int=0)
# Sorts before every time.
MIN_TIME = datetime.min.replace(tzinfo=UTC)


def parse_uuid(text: str) -> UUID | None:
    """Return None where the text is not a UUID; its hyphens are optional."""
    try:
        return UUID(text)
    except ValueError:
        return None


def fetch_all(
    connection: Connection, statement: Select[Any], parameters: Mapping[str, Any] | None = None
) -> list[RowDict]:
    """Return the rows of the statement, each keyed by column name."""
    return [dict(row) for row in connection.execute(statement, parameters).mappings()]


def filter_conditions(filters: Mapping[Column[Any], object]) -> list[ColumnElement[bool]]:
    """Return one `column = value` condition for each filter; a filter of None is left out, blanks around text too."""
    values = {column: value.strip() if isinstance(value, str) else value for column, value in filters.items()}
    return [column == value for column, value in values.items() if value is not None]


def since_condition(column: Column[datetime], since: datetime | None) -> list[ColumnElement[bool]]:
    """Return the condition that the column is not earlier than `since`; none where no moment is given."""
    return [] if since is None else [column >= since]


def strip_hyphens(account_id: str | None) -> str | None:
    """Return an AWS account id as it is stored: the console and customers' mails write it as 1234-5678-9012."""
    return account_id.replace("-", "") if account_id else account_id

"""Rows, filters and ids that reports, the API and the commands share."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select
from sqlalchemy.orm import InstrumentedAttribute, Session

RowDict = dict[str, Any]


def parse_uuid(text: str) -> UUID | None:
    """Return the id that a text spells, if it spells one."""
    try:
        return UUID(text)
    except ValueError:
        return None


def fetch_all(session: Session, statement: Select[Any]) -> list[RowDict]:
    """Return the rows that the statement finds, by column name."""
    return [dict(row) for row in session.execute(statement).mappings()]


def filter_conditions(filters: Mapping[InstrumentedAttribute[Any], object]) -> list[ColumnElement[bool]]:
    """Return the conditions of the filters that are given; None is none."""
    return [column == value for column, value in filters.items() if value is not None]


def strip_hyphens(account_id: str | None) -> str | None:
    """Return an AWS account's id without hyphens: the console, and a customer's mail, have 1234-5678-9012."""
    return account_id.replace("-", "") if account_id else account_id

"""Reads the rows that the application has stored, and names the tables to empty."""

from collections.abc import Sequence
from typing import Any

from flask import Flask
from sqlalchemy import Row, Select, Table, select

from app.database import transactions
from app.models import METADATA, Feed, Model


def all_rows(app: Flask, model: type[Model]) -> Sequence[Row[Any]]:
    """Return every row of the model's table, the oldest first."""
    return fetch_rows(app, select(model.__table__).order_by(*model.__table__.primary_key))


def fetch_rows(app: Flask, statement: Select[Any]) -> Sequence[Row[Any]]:
    """Return the statement's rows."""
    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        return connection.execute(statement).all()


def tables_to_empty() -> list[Table]:
    """Return the tables to delete all rows from, in this order. The feed keeps its one row, as a migration made it."""
    return [table for table in reversed(METADATA.sorted_tables) if table.name != Feed.__tablename__]

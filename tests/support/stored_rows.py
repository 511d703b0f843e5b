"""Reads the rows that the application has stored, and names the tables to empty."""

from typing import TypeVar

from flask import Flask
from sqlalchemy import Table, inspect, select
from sqlalchemy.orm import Session

from app.database import transactions
from app.models import Base, Feed

ModelT = TypeVar("ModelT", bound=Base)


def all_rows(app: Flask, model: type[ModelT]) -> list[ModelT]:
    """Return every row of the model's table, the oldest first."""
    with app.app_context(), Session(transactions.current_database().read_engine) as session:
        return list(session.scalars(select(model).order_by(*inspect(model).primary_key)))


def tables_to_empty() -> list[Table]:
    """Return the tables to delete all rows from, in this order. The feed keeps its one row, as a migration made it."""
    return [table for table in reversed(Base.metadata.sorted_tables) if table.name != Feed.__tablename__]

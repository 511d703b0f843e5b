"""Reads the rows that the application has stored."""

from typing import TypeVar

from flask import Flask
from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from app.database import transactions
from app.models import Base

ModelT = TypeVar("ModelT", bound=Base)


def all_rows(app: Flask, model: type[ModelT]) -> list[ModelT]:
    """Return every row of the model's table, the oldest first."""
    with app.app_context(), Session(transactions.current_database().read_engine) as session:
        return list(session.scalars(select(model).order_by(*inspect(model).primary_key)))

"""Counts what the application has the database do."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask
from sqlalchemy import event

from app.database import transactions


@dataclass
class Cost:
    """How often the application had the database run a statement, and begin a transaction."""

    statements: int = 0
    transactions: int = 0


@contextmanager
def counted(app: Flask) -> Iterator[Cost]:
    """Count inside the `with` block."""
    cost = Cost()

    def count_statement(*arguments: object) -> None:
        # SQLite's transactions begin by a statement.
        cost.statements += not str(arguments[2]).startswith("BEGIN")

    def count_transaction(_connection: object) -> None:
        cost.transactions += 1

    with app.app_context():
        engine = transactions.current_database().read_engine
    event.listen(engine, "before_cursor_execute", count_statement)
    event.listen(engine, "begin", count_transaction)
    try:
        yield cost
    finally:
        event.remove(engine, "before_cursor_execute", count_statement)
        event.remove(engine, "begin", count_transaction)

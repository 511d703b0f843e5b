"""Statements that every table's queries share, made once and executed often."""

from collections.abc import Mapping

from sqlalchemy import TextualSelect, bindparam, text
from sqlalchemy.orm import DeclarativeBase


def upsert_statement(
    model: type[DeclarativeBase],
    natural_key: str,
    updates: Mapping[str, str],
    insert_values: Mapping[str, str] | None = None,
) -> TextualSelect:
    """Return the statement that inserts a row or, where the natural key is taken, changes that one.

    `changes` gives each column's new value in SQL, `values` what is inserted where it is not the parameter of the
    column's name; it answers the row's id. SQLite and PostgreSQL read the same
    text. As text it is made once: SQLAlchemy compiles its own kind of upsert anew at each execution, which
    costs more than all else that a landing does here.
    """
    columns = model.__table__.columns
    insert = text(
        f"INSERT INTO {model.__tablename__} ({', '.join(column.name for column in columns)})"  # noqa: S608  # names of our own
        f" VALUES ({', '.join((insert_values or {}).get(column.name, f':{column.name}') for column in columns)})"
        f" ON CONFLICT ({natural_key}) DO UPDATE SET {', '.join(f'{name} = {new}' for name, new in updates.items())}"
        " RETURNING id"
    )
    return insert.bindparams(*(bindparam(column.name, type_=column.type) for column in columns)).columns(columns.id)

"""SQL statements that all tables share, built once at import and executed often."""

from collections.abc import Mapping

from sqlalchemy import Table, TextualSelect, bindparam, text


def upsert_statement(
    table: Table,
    natural_key: str,
    updates: Mapping[str, str],
    inserts: Mapping[str, str] | None = None,
    *,
    returns_row: bool = False,
) -> TextualSelect:
    """Return the statement that inserts a row or, where its natural key exists, updates that row.

    It returns the id, or the whole row. `updates` are the columns' new values, in SQL; where there are none, an
    existing row stays and nothing is returned.
    A column is inserted from the parameter of its name, or from its SQL in `inserts`. The same SQL works on
    SQLite and PostgreSQL. It is text because SQLAlchemy compiles its own upsert again at each execution, which costs
    more CPU than the rest of a landing's database work.
    """
    columns = table.columns
    returned = columns if returns_row else [columns.id]
    update = f"UPDATE SET {', '.join(f'{name} = {new}' for name, new in updates.items())}" if updates else "NOTHING"
    insert = text(
        f"INSERT INTO {table.name} ({', '.join(column.name for column in columns)})"  # noqa: S608  # only names of tables and columns
        f" VALUES ({', '.join((inserts or {}).get(column.name, f':{column.name}') for column in columns)})"
        f" ON CONFLICT ({natural_key}) DO {update} RETURNING {', '.join(column.name for column in returned)}"
    )
    return insert.bindparams(*(bindparam(column.name, type_=column.type) for column in columns)).columns(*returned)

"""What all tables share: named constraints, and times in UTC."""

from datetime import UTC, datetime
from typing import ClassVar

from sqlalchemy import Column, DateTime, Dialect, MetaData, Table
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC on every database. SQLite does not store time zones: reading adds UTC again."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Convert to UTC before the value is stored."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Add the time zone to what SQLite returns."""
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Model:
    """The base of all models: a class of columns, which is a table of METADATA and stands for it in statements.

    Rows are not its instances: SQLAlchemy's ORM, which would make them, takes a seventh of a server's start. Primary
    keys are UUIDv7, made by the application: they sort by age.
    """

    __tablename__: ClassVar[str]
    # Constraints and indexes of several columns.
    __table_args__: ClassVar[tuple[SchemaItem, ...]] = ()
    __table__: ClassVar[Table]

    def __init_subclass__(cls) -> None:
        """Make the table of the class's columns, in their order, each named as its attribute."""
        columns = [(name, value) for name, value in vars(cls).items() if isinstance(value, Column)]
        for name, column in columns:
            column.name = column.key = name
        cls.__table__ = Table(cls.__tablename__, METADATA, *(column for _, column in columns), *cls.__table_args__)

    @classmethod
    def __clause_element__(cls) -> Table:
        """Return what SQLAlchemy puts into a statement where the class stands."""
        return cls.__table__

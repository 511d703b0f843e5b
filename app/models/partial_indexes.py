"""The indexes of some rows only, and the metadata of all tables with them: for migrations.

The options of such an index load SQLAlchemy's dialects of both databases, which a server and a worker do without.
"""

from sqlalchemy import Index

from app.models.base import METADATA
from app.models.usage import IS_UNSENT, UsageHour

__all__ = ["METADATA"]

Index("ix_usage_hours_unsent", UsageHour.hour, sqlite_where=IS_UNSENT, postgresql_where=IS_UNSENT)

"""What all parts of a payload share: how they are made from a row, and written as JSON."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self
from uuid import UUID

from sqlalchemy import Row


def rfc3339(moment: datetime) -> str:
    """Return the moment in UTC with milliseconds, such as 2026-11-23T12:00:00.000Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_json(value: object) -> Any:
    """Return the part, or a value in it, as JSON has it."""
    match value:
        case PayloadPart():
            return {name: as_json(member) for name, member in vars(value).items()}
        case list():
            return [as_json(item) for item in value]
        case datetime():
            return rfc3339(value)
        case UUID():
            return str(value)
    return value


class SchemaKeywords(NamedTuple):
    """What the JSON Schema says of a field beside its type."""

    keywords: Mapping[str, object]

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Callable[[Any], dict[str, Any]]) -> object:
        """Return the field's schema to pydantic, which makes the schemas."""
        return {**handler(core_schema), **self.keywords}


@dataclass(frozen=True)
class PayloadPart:
    """A part of the payload. A later version may add fields and removes none."""

    @classmethod
    def from_row(cls, row: Row[Any], **values: object) -> Self:
        """Return the part with these values; the others are the row's."""
        return cls(
            **{field.name: getattr(row, field.name) for field in fields(cls) if field.name not in values}, **values
        )

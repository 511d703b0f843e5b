"""The query parameters of each API endpoint as one dataclass; unknown parameters are refused."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeVar
from uuid import UUID

from flask import request

from app.config import fields
from app.config.fields import OneOf, Text, WholeNumber, declare
from app.database import rows
from app.models.usage import USAGE_STATES
from app.services.api import cursors
from app.services.api.cursors import Cursor
from app.services.metering import items
from app.views.api.problems import Fault, InvalidQuery

Q = TypeVar("Q", bound="Query")

MAX_LIMIT, DEFAULT_LIMIT = 200, 50
PRODUCT_CODE = Text(pattern=r"[-A-Za-z0-9/=:_.@]{1,255}", example="prodcode1234567890")
# PostgreSQL stores no null character.
ANY_TEXT = r"[^\x00]{1,255}"
EXAMPLE_HOUR = datetime(2026, 11, 28, 14, tzinfo=UTC)


class Digits(WholeNumber):
    """A whole number in digits alone: the API's description allows no 1_0 and no 5.0."""

    def read(self, value: object) -> int:
        """Return the number."""
        if not (isinstance(value, str) and value.isascii() and value.isdecimal()):
            raise ValueError("not a whole number")
        return super().read(value)


class Moment:
    """A time with its zone."""

    def read(self, value: object) -> datetime:
        """Return the time in UTC."""
        return items.read_time(value)


@dataclass(frozen=True, kw_only=True)
class Query:
    """The parameters of one endpoint; of itself, none. Each description completes the sentence "It must be …"."""


@dataclass(frozen=True, kw_only=True)
class Registrations(Query):
    """Filters and pagination of subscriptions with a registration."""

    product_code: str | None = declare(PRODUCT_CODE, default=None, description="a product code, as on the listing")
    customer_aws_account_id: str | None = declare(
        Text(pattern=r"[0-9]{12}", example="123456789012"),
        default=None,
        description="an AWS account id of 12 digits",
    )
    cursor: str | None = declare(
        Text(
            pattern=rf"[A-Za-z0-9_-]{{{cursors.ENCODED_LENGTH},{cursors.OLD_ENCODED_LENGTH}}}",
            example=cursors.encode(cursors.INITIAL),
            check=cursors.decode,
        ),
        default=None,
        description="the cursor of an earlier response, unchanged",
    )
    limit: int = declare(
        Digits(1, MAX_LIMIT), default=DEFAULT_LIMIT, description=f"a whole number from 1 to {MAX_LIMIT}"
    )

    @property
    def after(self) -> Cursor:
        """The position to continue from: the cursor's, or the feed's start."""
        return cursors.decode(self.cursor) if self.cursor else cursors.INITIAL


@dataclass(frozen=True, kw_only=True)
class Subscriptions(Registrations):
    """Filters and pagination of all subscriptions."""

    status: Literal["pending", "active", "ending", "ended", "failed"] | None = declare(
        OneOf("pending", "active", "ending", "ended", "failed"),
        default=None,
        description="pending, active, ending, ended or failed",
    )


@dataclass(frozen=True, kw_only=True)
class Usage(Query):
    """Filters and pagination of hours of usage."""

    subscription: str | None = declare(
        Text(pattern=r"[!-~]{1,600}", example="01a207c8-85e3-70e1-8187-c3ad0186f92b"),
        default=None,
        description="a subscription's id, or the ARN of one of its licenses",
    )
    product_code: str | None = declare(PRODUCT_CODE, default=None, description="a product code, as on the listing")
    state: str | None = declare(
        OneOf(*USAGE_STATES), default=None, description=f"{', '.join(USAGE_STATES[:-1])} or {USAGE_STATES[-1]}"
    )
    dimension: str | None = declare(Text(ANY_TEXT, "gb_processed"), default=None, description="a dimension's API name")
    since: datetime | None = declare(
        Moment(), default=None, description="the earliest hour, with its zone, such as 2026-11-28T14:00:00Z"
    )
    until: datetime | None = declare(
        Moment(), default=None, description="the hour before which to end, with its zone, such as 2026-11-29T00:00:00Z"
    )
    cursor: str | None = declare(
        Text(
            pattern=rf"[A-Za-z0-9_-]{{{cursors.USAGE_ENCODED_LENGTH}}}",
            example=cursors.encode_usage(EXAMPLE_HOUR, rows.MIN_ID),
            check=cursors.decode_usage,
        ),
        default=None,
        description="the cursor of an earlier response, unchanged",
    )
    limit: int = declare(
        Digits(1, MAX_LIMIT), default=DEFAULT_LIMIT, description=f"a whole number from 1 to {MAX_LIMIT}"
    )

    @property
    def after(self) -> tuple[datetime, UUID] | None:
        """After which hour and id to continue; None: at the newest."""
        return cursors.decode_usage(self.cursor) if self.cursor else None


@dataclass(frozen=True, kw_only=True)
class UsageItem(Query):
    """Which item of usage to return."""

    id: str = declare(Text(ANY_TEXT, "job-4711"), description="the id with which your product sent the item")


def parse(query: type[Q]) -> Q:
    """Return the request's query parameters; raise InvalidQuery if one is unknown, repeated or malformed."""
    values_by_name = {name: values[0] if len(values) == 1 else values for name, values in request.args.lists()}
    accepted, problems = fields.read(query, values_by_name)
    if problems:
        raise InvalidQuery([Fault(parameter=name, detail=_describe_fault(query, name)) for name in problems])
    return query(**accepted)


def _describe_fault(query: type[Query], name: str) -> str:
    parameters = fields.declared(query)
    if name in parameters:
        return f"It must be {parameters[name].description}, and given once."
    names = ", ".join(parameters)
    return f"Unknown parameter. This endpoint takes: {names}." if names else "This endpoint takes no parameters."

"""The types of the fields in AWS's messages: ids, times, and what becomes of a field that cannot be read."""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.alias_generators import to_camel

T = TypeVar("T")
EARLIEST_TIME = datetime(2012, 4, 19, tzinfo=UTC)
# AWS sends an agreement without an end with `endTime` 9999-01-01.
NO_END = datetime(9000, 1, 1, tzinfo=UTC)


def strip(text: str | None) -> str | None:
    """Return an id without surrounding blanks; None where nothing is left, or there was none."""
    return (text or "").strip() or None


def end_or_none(at: datetime | None) -> datetime | None:
    """Return the end that AWS names; None where that is a year from 9000 on, or none at all."""
    return at if at and at < NO_END else None


def _drop_invalid(value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Return None in place of an optional value that cannot be read, and add its name to the list in the context."""
    # AWS leaves out a field without a value, or sends it null or empty.
    if not value:
        return None
    try:
        return read(value)
    except ValidationError:
        cast(list[str], info.context).append(to_camel(str(info.field_name)))
        return None


def _account_id(value: Any) -> Any:
    """Return an AWS account id that was sent as a number with its 12 digits."""
    return f"{value:012d}" if type(value) is int else value


def _check_time(at: datetime) -> datetime:
    """Return the time, in UTC where it names no zone."""
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if not EARLIEST_TIME <= at < NO_END:
        raise ValueError("it is before AWS Marketplace began, or too far ahead")
    return at


def _check_end(at: datetime) -> datetime | None:
    """Return the end, in UTC where it names no zone; None where there is no end."""
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return _check_time(at) if at < NO_END else None


# PostgreSQL stores neither NUL nor half a surrogate pair, and AWS's ids have no control characters. AWS's page on SNS
# prints an id with a blank before it.
NO_CONTROL_CHARACTERS = r"^\P{Cc}+$"
AwsText = Annotated[str, StringConstraints(strip_whitespace=True, pattern=NO_CONTROL_CHARACTERS, max_length=255)]
AgreementId = Annotated[AwsText, StringConstraints(max_length=64)]
Arn = Annotated[str, StringConstraints(strip_whitespace=True, pattern=NO_CONTROL_CHARACTERS, max_length=600)]
AccountId = Annotated[AwsText, BeforeValidator(_account_id)]
AwsTime = Annotated[datetime, AfterValidator(_check_time)]
EndTime = Annotated[datetime, AfterValidator(_check_end)]
# For all but the id, the kind and the time of a message: access must not depend on a detail that Foyer can do without.
OrNone = Annotated[T | None, WrapValidator(_drop_invalid)]

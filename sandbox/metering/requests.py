"""The form of a BatchMeterUsage request: its members' types and limits, as AWS's service model has them.

https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_BatchMeterUsage.html
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.aws_errors import InvalidRequest, RequestTooLarge, UnreadableRequest

# The guide says "less than 1 MB"; the smaller of the two meanings is the safe one.
MAX_BYTES = 1_000_000
MAX_RECORDS = 25
MAX_WHOLE = 2147483647
DECIMAL = re.compile(r"(0|[1-9][0-9]{0,9})(\.[0-9]{1,6})?", re.ASCII)

Whole = Annotated[int | None, Field(ge=0, le=MAX_WHOLE)]


class WireModel(BaseModel):
    """A member of the request: JSON's own types, and no conversion between them."""

    model_config = ConfigDict(strict=True, frozen=True)


class WireTag(WireModel):
    """One tag of an allocation."""

    Key: str
    Value: str | None = None


class WireAllocation(WireModel):
    """The part of a record's usage that has these tags."""

    AllocatedUsageQuantity: Whole = None
    AllocatedUsageQuantityAsDecimal: str | None = None
    Tags: list[WireTag] | None = None


class WireRecord(WireModel):
    """One usage record as it was sent. `Timestamp` is in Unix seconds."""

    Timestamp: Annotated[float, Field(allow_inf_nan=False)]
    Dimension: Annotated[str, Field(min_length=1, max_length=255)]
    Quantity: Whole = None
    QuantityAsDecimal: str | None = None
    CustomerIdentifier: Annotated[str | None, Field(max_length=255)] = None
    CustomerAWSAccountId: Annotated[str | None, Field(min_length=1, max_length=255)] = None
    LicenseArn: str | None = None
    UsageAllocations: list[WireAllocation] | None = None

    @property
    def quantity(self) -> Decimal:
        """The quantity by value; without one, zero."""
        return Decimal(self.QuantityAsDecimal or self.Quantity or 0)

    def to_aws(self) -> dict[str, Any]:
        """Return the record as the response repeats it: its time is cut to milliseconds."""
        milliseconds = int(Decimal(repr(self.Timestamp)) * 1000)
        return {**self.model_dump(exclude_none=True), "Timestamp": milliseconds / 1000}


class WireRequest(WireModel):
    """The body of a call."""

    UsageRecords: Annotated[list[WireRecord], Field(max_length=MAX_RECORDS)]
    ProductCode: Annotated[str | None, Field(max_length=255, pattern=r"^[-a-zA-Z0-9/=:_.@]*$")] = None


def parse(body: bytes) -> WireRequest:
    """Return the request.

    Raises:
        RequestTooLarge: it has 1 MB or more.
        UnreadableRequest: it is not JSON, or a member has another type of JSON.
        InvalidRequest: a member is missing, or beyond its limits.
    """
    if len(body) >= MAX_BYTES:
        raise RequestTooLarge(f"The request has {len(body)} bytes; it must have fewer than {MAX_BYTES}")
    try:
        request = WireRequest.model_validate(json.loads(body))
    except ValidationError as error:
        raise _describe(error) from None
    except (ValueError, RecursionError) as error:
        raise UnreadableRequest(f"The request is not JSON: {error}") from None
    if problems := list(_find_bad_quantities(request)):
        raise InvalidRequest(_count(problems))
    return request


def _describe(error: ValidationError) -> InvalidRequest | UnreadableRequest:
    problems = [(".".join(map(str, problem["loc"])), problem["msg"], problem["type"]) for problem in error.errors()]
    for place, message, kind in problems:
        # Such as a text for a time, or a fraction for a whole number.
        if kind.endswith("_type") and "none" not in kind:
            return UnreadableRequest(f"{place}: {message}")
    return InvalidRequest(_count([f"Value at '{place}' failed to satisfy constraint: {m}" for place, m, _ in problems]))


def _find_bad_quantities(request: WireRequest) -> Iterator[str]:
    for number, record in enumerate(request.UsageRecords):
        place = f"UsageRecords.{number}"
        if record.Quantity is not None and record.QuantityAsDecimal is not None:
            yield f"{place}: Quantity and QuantityAsDecimal can't both be specified"
        texts = [("QuantityAsDecimal", record.QuantityAsDecimal)] + [
            (f"UsageAllocations.{position}.AllocatedUsageQuantityAsDecimal", part.AllocatedUsageQuantityAsDecimal)
            for position, part in enumerate(record.UsageAllocations or ())
        ]
        for name, text in texts:
            if text is not None and not DECIMAL.fullmatch(text):
                yield f"Value at '{place}.{name}' failed to satisfy constraint: Member must match {DECIMAL.pattern}"


def _count(problems: list[str]) -> str:
    plural = "" if len(problems) == 1 else "s"
    return f"{len(problems)} validation error{plural} detected: {'; '.join(problems[:5])}"

"""The query parameters of each API endpoint as one model; unknown parameters are refused."""

from typing import Annotated, Any, Literal, TypeVar

from flask import request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app.services.api import cursors
from app.services.api.cursors import Cursor
from app.views.api.problems import Fault, InvalidQuery

Q = TypeVar("Q", bound="Query")

MAX_LIMIT, DEFAULT_LIMIT = 200, 50


def _check_whole_number(value: Any) -> Any:
    # Pydantic also accepts 1_0 and 5.0, which the API's description does not allow.
    if isinstance(value, str) and not (value.isascii() and value.isdecimal()):
        raise ValueError("not a whole number")
    return value


def _check_cursor(value: str) -> str:
    cursors.decode(value)
    return value


class Query(BaseModel):
    """The parameters of one endpoint; of itself, none. Each description completes the sentence "It must be …"."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Registrations(Query):
    """Filters and pagination of subscriptions with a registration."""

    product_code: str | None = Field(
        default=None,
        pattern=r"^[-A-Za-z0-9/=:_.@]{1,255}$",
        description="a product code, as on the listing",
        examples=["prodcode1234567890"],
    )
    customer_aws_account_id: str | None = Field(
        default=None, pattern=r"^[0-9]{12}$", description="an AWS account id of 12 digits", examples=["123456789012"]
    )
    cursor: Annotated[str | None, AfterValidator(_check_cursor)] = Field(
        default=None,
        pattern=rf"^[A-Za-z0-9_-]{{{cursors.ENCODED_LENGTH},{cursors.OLD_ENCODED_LENGTH}}}$",
        description="the cursor of an earlier response, unchanged",
        json_schema_extra={"format": "cursor"},
        examples=[cursors.encode(cursors.INITIAL)],
    )
    limit: Annotated[int, BeforeValidator(_check_whole_number)] = Field(
        default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description=f"a whole number from 1 to {MAX_LIMIT}"
    )

    @property
    def after(self) -> Cursor:
        """The position to continue from: the cursor's, or the feed's start."""
        return cursors.decode(self.cursor) if self.cursor else cursors.INITIAL


class Subscriptions(Registrations):
    """Filters and pagination of all subscriptions."""

    status: Literal["pending", "active", "ending", "ended", "failed"] | None = Field(
        default=None, description="pending, active, ending, ended or failed", examples=["active"]
    )


def parse(model: type[Q]) -> Q:
    """Return the request's query parameters; raise InvalidQuery if one is unknown, repeated or malformed."""
    values_by_name = {name: values[0] if len(values) == 1 else values for name, values in request.args.lists()}
    try:
        return model.model_validate(values_by_name)
    except ValidationError as error:
        names = dict.fromkeys(str(fault["loc"][0]) for fault in error.errors())
        raise InvalidQuery([Fault(parameter=name, detail=_describe_fault(model, name)) for name in names]) from None


def _describe_fault(model: type[Query], name: str) -> str:
    if name in model.model_fields:
        return f"It must be {model.model_fields[name].description}, and given once."
    names = ", ".join(model.model_fields)
    return f"Unknown parameter. This endpoint takes: {names}." if names else "This endpoint takes no parameters."

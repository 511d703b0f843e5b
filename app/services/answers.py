"""Answers: what a product says of the account that it made for a purchase, or joined it with."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from sqlalchemy import Connection, insert, select, update

from app.models import Account
from app.products import URL_PATTERN

MAYBE = BeforeValidator(lambda value: value or None)


class ProductAnswer(BaseModel):
    """The JSON of an answer: all of it may be left out, and what we do not know is not read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: Annotated[str | None, MAYBE] = Field(default=None, pattern=URL_PATTERN, max_length=2048)
    reference: Annotated[str | None, MAYBE] = Field(default=None, pattern=r"^\P{Cc}+$", max_length=255)
    refused: Annotated[
        Literal["not_found", "not_allowed", "already_linked", "confirmation_needed", "not_supported"] | None, MAYBE
    ] = None


NOTHING = ProductAnswer()
JSON = TypeAdapter(ProductAnswer)


def parse(body: bytes) -> ProductAnswer | None:
    """Return what the body says; nothing where it is empty, None where it is something else than an answer."""
    try:
        return JSON.validate_json(body) if body.strip() else NOTHING
    except ValidationError:
        return None


def keep(connection: Connection, subscription_id: UUID, answer: ProductAnswer, *, is_about_account: bool) -> bool:
    """Keep the answer within the transaction of a caller who holds the subscription; return whether it is news.

    What an answer leaves out stays as it was; but one that refuses nothing takes back what was refused before, where
    the product was asked for an account or names one.
    """
    if answer == NOTHING and not is_about_account:
        return False
    of_it = Account.subscription_id == subscription_id
    before = connection.execute(select(Account.__table__).where(of_it)).one_or_none()
    values: dict[str, Any] = {name: value for name, value in answer.model_dump().items() if value is not None}
    if is_about_account or answer.url or answer.reference:
        values["refused"] = answer.refused
    values["answered_at"] = datetime.now(UTC)
    if before is None:
        connection.execute(insert(Account).values(subscription_id=subscription_id, **values))
        return answer != NOTHING
    connection.execute(update(Account).where(of_it).values(**values))
    return any(getattr(before, name) != value for name, value in values.items() if name != "answered_at")

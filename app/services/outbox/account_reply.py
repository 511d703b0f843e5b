"""Answers: what a product says of the account that it made for a purchase, or joined it with."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.orm import Session

from app.models import REFUSALS, Account, OutboxMessage
from app.services.outbox import announce, queue

LONGEST_URL, LONGEST_REFERENCE = 2048, 255
SCHEMES = ("https", "http")
# The words for any reason that we do not know.
OTHERWISE = "not_supported"


@dataclass(frozen=True)
class ProductAnswer:
    """What an answer says: where the account is, what the product calls it, or why it is not the one asked for."""

    url: str | None = None
    reference: str | None = None
    refused: str | None = None


NOTHING = ProductAnswer()


def parse(body: bytes, *, allow_http: bool = False) -> ProductAnswer | None:
    """Return what the body says; nothing where it is empty, None where it is no JSON object.

    Each member is judged by itself: an address that no browser opens does not take the reference away. A refusal for a
    reason that we have no words for is one all the same.
    """
    if not body.strip():
        return NOTHING
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    url, reference, refused = said.get("url"), said.get("reference"), said.get("refused")
    return ProductAnswer(
        url=url if isinstance(url, str) and is_usable(url, allow_http=allow_http) else None,
        reference=reference if isinstance(reference, str) and _is_storable(reference) else None,
        refused=(refused if refused in REFUSALS else OTHERWISE) if refused else None,
    )


def is_usable(url: str, *, allow_http: bool) -> bool:
    """Return whether browsers open the address."""
    if len(url) > LONGEST_URL or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna"), parts.port
    except ValueError:
        return False
    return bool(host) and port != 0 and "@" not in parts.netloc and parts.scheme in SCHEMES[: 1 + allow_http]


def _is_storable(text: str) -> bool:
    # PostgreSQL stores neither NUL nor half a surrogate pair.
    return 0 < len(text) <= LONGEST_REFERENCE and text.isprintable()


def of(connection: Connection, subscription_id: UUID) -> Row[Any] | None:
    """Return what is kept of the product's answers for the subscription, if it has given any."""
    kept = select(Account.__table__).where(Account.subscription_id == subscription_id)
    return connection.execute(kept).one_or_none()


def is_named(account: Account | Row[Any] | ProductAnswer) -> bool:
    """Return whether the product has said which account it is; one that answers nothing may have made one, too."""
    return bool(account.url or account.reference)


def is_made(database: Connection | Session, account: Account | Row[Any], registration_id: UUID) -> bool:
    """Return whether the product has made an account for who registered, be it not the one that is asked for now."""
    if is_named(account) or account.refused is None:
        return True
    # It may have taken the registration without a word, and refused only what was asked for since.
    took = (OutboxMessage.outcome == "delivered", OutboxMessage.type.in_(announce.OF_REGISTRATION))
    return queue.latest_of(database, registration_id, *took, OutboxMessage.fault.is_(None)) is not None


def keep(connection: Connection, subscription_id: UUID, answer: ProductAnswer, *, is_about_account: bool) -> bool:
    """Keep the answer within the transaction of a caller who holds the subscription; return whether it is news.

    What an answer leaves out stays as it was; but another account does not have the address of the one before, and what
    refuses nothing takes back what was refused before, where the product was asked for an account or names one.
    """
    if answer == NOTHING and not is_about_account:
        return False
    of_it = Account.subscription_id == subscription_id
    before = of(connection, subscription_id)
    values: dict[str, Any] = {name: value for name, value in vars(answer).items() if value is not None}
    if is_about_account or is_named(answer):
        values["refused"] = answer.refused
    if answer.reference and before is not None and before.reference not in {None, answer.reference}:
        values["url"] = answer.url
    values["answered_at"] = datetime.now(UTC)
    if before is None:
        connection.execute(insert(Account).values(subscription_id=subscription_id, **values))
        return answer != NOTHING
    connection.execute(update(Account).where(of_it).values(**values))
    return any(getattr(before, name) != value for name, value in values.items() if name != "answered_at")

"""Answers: what a product says of the account that it made for a purchase, or joined it with."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.orm import Session

from app.models import REFUSAL_REASONS, Account, OutboxMessage
from app.services.outbox import announce, queue

MAX_URL_LENGTH, MAX_REFERENCE_LENGTH = 2048, 255
URL_SCHEMES = ("https", "http")
# The words for any reason that we do not know.
DEFAULT_REFUSAL = "not_supported"


@dataclass(frozen=True)
class AccountReply:
    """What an answer says: where the account is, what the product calls it, or why it is not the one asked for."""

    url: str | None = None
    reference: str | None = None
    refused: str | None = None


EMPTY_REPLY = AccountReply()


def parse(body: bytes, *, allow_http: bool = False) -> AccountReply | None:
    """Return what the body says; nothing where it is empty, None where it is no JSON object.

    Each member is judged by itself: an address that no browser opens does not take the reference away. A refusal for a
    reason that we have no words for is one all the same.
    """
    if not body.strip():
        return EMPTY_REPLY
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    url, reference, refused = said.get("url"), said.get("reference"), said.get("refused")
    return AccountReply(
        url=url if isinstance(url, str) and is_valid_url(url, allow_http=allow_http) else None,
        reference=reference if isinstance(reference, str) and _is_valid_reference(reference) else None,
        refused=(refused if refused in REFUSAL_REASONS else DEFAULT_REFUSAL) if refused else None,
    )


def is_valid_url(url: str, *, allow_http: bool) -> bool:
    """Return whether browsers open the address."""
    if len(url) > MAX_URL_LENGTH or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna"), parts.port
    except ValueError:
        return False
    return bool(host) and port != 0 and "@" not in parts.netloc and parts.scheme in URL_SCHEMES[: 1 + allow_http]


def _is_valid_reference(text: str) -> bool:
    # PostgreSQL stores neither NUL nor half a surrogate pair.
    return 0 < len(text) <= MAX_REFERENCE_LENGTH and text.isprintable()


def account_of(connection: Connection, subscription_id: UUID) -> Row[Any] | None:
    """Return what is kept of the product's answers for the subscription, if it has given any."""
    kept = select(Account.__table__).where(Account.subscription_id == subscription_id)
    return connection.execute(kept).one_or_none()


def is_identified(account: Account | Row[Any] | AccountReply) -> bool:
    """Return whether the product has said which account it is; one that answers nothing may have made one, too."""
    return bool(account.url or account.reference)


def exists(database: Connection | Session, account: Account | Row[Any], registration_id: UUID) -> bool:
    """Return whether the product has made an account for who registered, be it not the one that is asked for now."""
    if is_identified(account) or account.refused is None:
        return True
    # It may have taken the registration without a word, and refused only what was asked for since.
    took = (OutboxMessage.outcome == "delivered", OutboxMessage.type.in_(announce.REGISTRATION_TYPES))
    return queue.latest_handoff(database, registration_id, *took, OutboxMessage.fault.is_(None)) is not None


def store(connection: Connection, subscription_id: UUID, reply: AccountReply, *, account_requested: bool) -> bool:
    """Keep the answer within the transaction of a caller who holds the subscription; return whether it is news.

    What an answer leaves out stays as it was; but another account does not have the address of the one before, and what
    refuses nothing takes back what was refused before, where the product was asked for an account or names one.
    """
    if reply == EMPTY_REPLY and not account_requested:
        return False
    of_it = Account.subscription_id == subscription_id
    before = account_of(connection, subscription_id)
    values: dict[str, Any] = {name: value for name, value in vars(reply).items() if value is not None}
    if account_requested or is_identified(reply):
        values["refused"] = reply.refused
    if reply.reference and before is not None and before.reference not in {None, reply.reference}:
        values["url"] = reply.url
    values["answered_at"] = datetime.now(UTC)
    if before is None:
        connection.execute(insert(Account).values(subscription_id=subscription_id, **values))
        return reply != EMPTY_REPLY
    connection.execute(update(Account).where(of_it).values(**values))
    return any(getattr(before, name) != value for name, value in values.items() if name != "answered_at")

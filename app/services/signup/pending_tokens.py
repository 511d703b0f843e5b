"""Parking: registration tokens that AWS could not resolve while the buyer waited, kept until it can."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, bindparam, func, select, text
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from app.database.statements import upsert_statement
from app.database.transactions import query, transaction
from app.errors import DatabaseUnavailable, ExpiredToken, FoyerError, InvalidToken, UnknownProduct
from app.models import PendingToken, UtcDateTime
from app.security import encryption
from app.services.purchases.purchase import Pending, UnverifiedFields

log = structlog.get_logger()

# AWS's tokens have about 200 characters and no documented limit; so many of these fill 40 MB at the most.
MAX_TOKEN_LENGTH = 4096
MAX_PENDING = 10_000
# The ceiling that AWS documents for a token's life:
# https://docs.aws.amazon.com/marketplace/latest/userguide/saas-product-customer-setup.html
TOKEN_LIFETIME = timedelta(hours=4)
# A browser's session may still ask what became of its token.
PURGE_AFTER = timedelta(hours=25)
FIRST_RETRY_DELAY = timedelta(seconds=2)

ERRORS_BY_NAME: dict[str, type[FoyerError]] = {kind.__name__: kind for kind in (InvalidToken, UnknownProduct)}
UPSERT_TOKEN = upsert_statement(PendingToken, natural_key="digest", updates={"digest": "excluded.digest"})
PURGE = text(
    "DELETE FROM parked_tokens WHERE settled_at < :before"
    " AND NOT EXISTS (SELECT 1 FROM registrations WHERE parked_token_id = parked_tokens.id)"
).bindparams(bindparam("before", type_=UtcDateTime))


class PendingTokensFull(FoyerError):
    """No more tokens can be parked for now: this one is too long, or too many wait."""


def store(token: str, unverified: UnverifiedFields, *, may_store_pending: bool = True) -> Pending:
    """Keep the token, encrypted, for the worker to resolve.

    The same token again is the same parked one, whatever has become of it since. Without leave to park one more, only
    such a token has a place.

    Raises:
        ParkingFull: it is longer than any token of AWS's, or too many wait already.
        ExpiredToken, InvalidToken, UnknownProduct: it was parked before, and that is how AWS judged it.
        DatabaseUnavailable: nothing was kept.
    """
    if len(token) > MAX_TOKEN_LENGTH:
        raise PendingTokensFull("TokenTooLong")
    parked, known = _store(token.encode(), unverified, may_store_pending, datetime.now(UTC))
    if known:
        _raise_if_dead(known)
    log.info("token.stored", parked=str(parked.id), again=not parked.is_new)
    return parked


def raise_if_dead(pending_token_id: UUID) -> None:
    """Tell how AWS judged a token that came to nothing; say nothing while it waits, or while the database is away.

    Raises:
        ExpiredToken, InvalidToken, UnknownProduct: the token is dead.
    """
    try:
        token = find(pending_token_id)
    except DatabaseUnavailable:
        return
    if token:
        _raise_if_dead(token)


def _raise_if_dead(token: PendingToken | Row[Any]) -> None:
    if token.settled_at and token.subscription_id is None:
        raise ERRORS_BY_NAME.get(str(token.fault), ExpiredToken)(str(token.fault))


@transaction
def _store(
    connection: Connection, token: bytes, unverified: UnverifiedFields, may_store_pending: bool, now: datetime
) -> tuple[Pending, Row[Any] | None]:
    digest = sha256(token).digest()
    known = connection.execute(select(PendingToken.__table__).where(PendingToken.digest == digest)).one_or_none()
    if known:
        return Pending(known.id, unverified.offer_type), known
    if not may_store_pending:
        raise PendingTokensFull("TooManyOfOneAddress")
    _raise_if_full(connection)
    row = {
        "id": uuid7(),
        "digest": digest,
        "sealed": encryption.pending_token_cipher().encrypt(token),
        "offer_type": unverified.offer_type,
        "hints": unverified.hints,
        "parked_at": now,
        "next_try_at": now + FIRST_RETRY_DELAY,
        "tries": 0,
        "fault": None,
        "settled_at": None,
        "subscription_id": None,
    }
    return Pending(connection.execute(UPSERT_TOKEN, row).scalar_one(), unverified.offer_type, is_new=True), None


def _raise_if_full(connection: Connection) -> None:
    waiting = select(func.count()).select_from(PendingToken).where(PendingToken.next_try_at.is_not(None))
    if connection.execute(waiting).scalar_one() >= MAX_PENDING:
        raise PendingTokensFull("TooManyParked")


@query
def find(session: Session, pending_token_id: UUID) -> PendingToken | None:
    """Return the parked token with that id and what has become of it, if it is not forgotten yet."""
    return session.get(PendingToken, pending_token_id)


@transaction
def purge(connection: Connection) -> int:
    """Delete the settled tokens that no browser and no registration asks for any more; return how many."""
    return connection.execute(PURGE, {"before": datetime.now(UTC) - PURGE_AFTER}).rowcount

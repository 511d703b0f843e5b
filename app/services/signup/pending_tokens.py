"""Parking: registration tokens that AWS could not resolve while the buyer waited, kept until it can."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, bindparam, func, select, text
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from app.database.transactions import query, transaction, upsert
from app.errors import DatabaseUnavailable, ExpiredToken, FoyerError, InvalidToken, UnknownProduct
from app.models import Instant, ParkedToken
from app.security import encryption
from app.services.purchases.purchase import Parked, Said

log = structlog.get_logger()

# AWS's tokens have about 200 characters and no documented limit; so many of these fill 40 MB at the most.
LONGEST_TOKEN = 4096
MOST_PARKED = 10_000
# The ceiling that AWS documents for a token's life:
# https://docs.aws.amazon.com/marketplace/latest/userguide/saas-product-customer-setup.html
LIFETIME = timedelta(hours=4)
# A browser's session may still ask what became of its token.
FORGOTTEN_AFTER = timedelta(hours=25)
FIRST_TRY = timedelta(seconds=2)

VERDICTS: dict[str, type[FoyerError]] = {kind.__name__: kind for kind in (InvalidToken, UnknownProduct)}
PARK = upsert(ParkedToken, natural_key="digest", changes={"digest": "excluded.digest"})
FORGET = text(
    "DELETE FROM parked_tokens WHERE settled_at < :before"
    " AND NOT EXISTS (SELECT 1 FROM registrations WHERE parked_token_id = parked_tokens.id)"
).bindparams(bindparam("before", type_=Instant))


class ParkingFull(FoyerError):
    """No more tokens can be parked for now: this one is too long, or too many wait."""


def park(token: str, said: Said, *, may_park: bool = True) -> Parked:
    """Keep the token, encrypted, for the worker to resolve.

    The same token again is the same parked one, whatever has become of it since. Without leave to park one more, only
    such a token has a place.

    Raises:
        ParkingFull: it is longer than any token of AWS's, or too many wait already.
        ExpiredToken, InvalidToken, UnknownProduct: it was parked before, and that is how AWS judged it.
        DatabaseUnavailable: nothing was kept.
    """
    if len(token) > LONGEST_TOKEN:
        raise ParkingFull("TokenTooLong")
    parked, known = _park(token.encode(), said, may_park, datetime.now(UTC))
    if known:
        _refuse_dead(known)
    log.info("token.parked", parked=str(parked.id), again=not parked.is_new)
    return parked


def refuse_dead(parked_id: UUID) -> None:
    """Tell how AWS judged a token that came to nothing; say nothing while it waits, or while the database is away.

    Raises:
        ExpiredToken, InvalidToken, UnknownProduct: the token is dead.
    """
    try:
        token = find(parked_id)
    except DatabaseUnavailable:
        return
    if token:
        _refuse_dead(token)


def _refuse_dead(token: ParkedToken | Row[Any]) -> None:
    if token.settled_at and token.subscription_id is None:
        raise VERDICTS.get(str(token.fault), ExpiredToken)(str(token.fault))


@transaction
def _park(
    connection: Connection, token: bytes, said: Said, may_park: bool, now: datetime
) -> tuple[Parked, Row[Any] | None]:
    digest = sha256(token).digest()
    known = connection.execute(select(ParkedToken.__table__).where(ParkedToken.digest == digest)).one_or_none()
    if known:
        return Parked(known.id, said.offer_type), known
    if not may_park:
        raise ParkingFull("TooManyOfOneAddress")
    _refuse_where_full(connection)
    row = {
        "id": uuid7(),
        "digest": digest,
        "sealed": encryption.parked_tokens().close(token),
        "offer_type": said.offer_type,
        "hints": said.hints,
        "parked_at": now,
        "next_try_at": now + FIRST_TRY,
        "tries": 0,
        "fault": None,
        "settled_at": None,
        "subscription_id": None,
    }
    return Parked(connection.execute(PARK, row).scalar_one(), said.offer_type, is_new=True), None


def _refuse_where_full(connection: Connection) -> None:
    waiting = select(func.count()).select_from(ParkedToken).where(ParkedToken.next_try_at.is_not(None))
    if connection.execute(waiting).scalar_one() >= MOST_PARKED:
        raise ParkingFull("TooManyParked")


@query
def find(session: Session, parked_id: UUID) -> ParkedToken | None:
    """Return the parked token with that id and what has become of it, if it is not forgotten yet."""
    return session.get(ParkedToken, parked_id)


@transaction
def forget(connection: Connection) -> int:
    """Delete the settled tokens that no browser and no registration asks for any more; return how many."""
    return connection.execute(FORGET, {"before": datetime.now(UTC) - FORGOTTEN_AFTER}).rowcount

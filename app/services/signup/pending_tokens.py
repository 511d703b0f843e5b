"""Pending tokens: registration tokens that AWS could not resolve while the buyer waited, stored until it can."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, Uuid, bindparam, delete, exists, func, select, text
from uuid_utils.compat import uuid7

from app.database import clock
from app.database.statements import upsert_statement
from app.database.transactions import query, transaction
from app.errors import DatabaseUnavailable, ExpiredToken, FoyerError, InvalidToken, NoPurchase, UnknownProduct
from app.models import PendingToken, Registration
from app.security import encryption
from app.services.purchases.purchase import Pending, UnverifiedFields

log = structlog.get_logger()

# AWS's tokens have about 200 characters and no documented limit. 10,000 of this length fill 40 MB.
MAX_TOKEN_LENGTH = 4096
MAX_PENDING = 10_000
# The longest life of a token that AWS documents:
# https://docs.aws.amazon.com/marketplace/latest/userguide/saas-product-customer-setup.html
TOKEN_LIFETIME = timedelta(hours=4)
# Longer than a browser's session, which may still ask what became of its token.
PURGE_AFTER = timedelta(hours=25)
FIRST_RETRY_DELAY = timedelta(seconds=2)

ERRORS_BY_NAME: dict[str, type[FoyerError]] = {kind.__name__: kind for kind in (InvalidToken, UnknownProduct)}
BY_ID = select(PendingToken.__table__).where(PendingToken.id == bindparam("id"))
BY_DIGEST = select(PendingToken.__table__).where(PendingToken.digest == bindparam("digest"))
COUNT_PENDING = select(func.count()).where(PendingToken.next_try_at.is_not(None))
UPSERT_TOKEN = upsert_statement(PendingToken.__table__, natural_key="digest", updates={"digest": "excluded.digest"})
PURGE = delete(PendingToken).where(
    PendingToken.settled_at < bindparam("before"), ~exists().where(Registration.parked_token_id == PendingToken.id)
)
# An update that changes nothing locks the row on both databases, until the answers are stored.
LOCK = (
    text("UPDATE parked_tokens SET tries = tries WHERE id = :id RETURNING subscription_id")
    .bindparams(bindparam("id", type_=Uuid))
    .columns(PendingToken.__table__.c.subscription_id)
)
# A registration changes its purchase only once its token was given up: until then the token may still be resolved. And
# only for the same address: two people may use one browser.
SAME_BUYER_GIVEN_UP = (
    "id = :registration AND lower(email) = lower(:email) AND parked_token_id IN"
    " (SELECT id FROM parked_tokens WHERE settled_at IS NOT NULL AND subscription_id IS NULL)"
)
MOVE_TO_PURCHASE = text(
    "UPDATE registrations SET subscription_id = :subscription_id, parked_token_id = :parked_token_id"  # noqa: S608
    f" WHERE {SAME_BUYER_GIVEN_UP} AND NOT EXISTS"
    " (SELECT 1 FROM registrations WHERE subscription_id = :subscription_id OR parked_token_id = :parked_token_id)"
).bindparams(*(bindparam(name, type_=Uuid) for name in ("registration", "subscription_id", "parked_token_id")))
DELETE_SUPERSEDED = text(
    f"DELETE FROM registrations WHERE {SAME_BUYER_GIVEN_UP}"  # noqa: S608
    " AND (:parked_token_id IS NULL OR parked_token_id <> :parked_token_id)"
).bindparams(*(bindparam(name, type_=Uuid) for name in ("registration", "parked_token_id")))


class PendingTokensFull(FoyerError):
    """The token cannot be stored as pending: it is too long, or there are too many."""


def store(token: str, unverified: UnverifiedFields, *, may_store_pending: bool = True) -> Pending:
    """Store the token, encrypted, for the worker to resolve.

    The same token again finds the stored one, whatever has become of it since. Without `may_store_pending`, only such
    a token is found and no new one is stored.

    Raises:
        PendingTokensFull: the token is longer than any of AWS's, or too many are pending.
        ExpiredToken, InvalidToken, UnknownProduct: it was stored before, and AWS has refused it since.
    """
    if len(token) > MAX_TOKEN_LENGTH:
        raise PendingTokensFull("TokenTooLong")
    token_id, stored = _find_or_insert(token.encode(), unverified, may_store_pending)
    if stored:
        _raise_if_dead(stored)
    log.info("token.stored", parked=str(token_id), again=stored is not None)
    return Pending(token_id, unverified.offer_type, is_new=stored is None)


def raise_if_dead(pending_token_id: UUID) -> None:
    """Raise how AWS refused the token; return while it is pending, and while the database is down.

    Raises:
        ExpiredToken, InvalidToken, UnknownProduct: the token was given up.
    """
    with suppress(DatabaseUnavailable):
        if token := find(pending_token_id):
            _raise_if_dead(token)


def _raise_if_dead(token: Row[Any]) -> None:
    if token.settled_at and token.subscription_id is None:
        raise ERRORS_BY_NAME.get(str(token.fault), ExpiredToken)(str(token.fault))


@transaction
def _find_or_insert(
    connection: Connection, token: bytes, unverified: UnverifiedFields, may_store_pending: bool
) -> tuple[UUID, Row[Any] | None]:
    """Return the token's id, and its row where it was stored before."""
    digest = sha256(token).digest()
    if stored := connection.execute(BY_DIGEST, {"digest": digest}).one_or_none():
        return stored.id, stored
    if not may_store_pending:
        raise PendingTokensFull("TooManyOfOneAddress")
    if connection.execute(COUNT_PENDING).scalar_one() >= MAX_PENDING:
        raise PendingTokensFull("TooManyParked")
    return connection.execute(UPSERT_TOKEN, _new_row(token, digest, unverified)).scalar_one(), None


def _new_row(token: bytes, digest: bytes, unverified: UnverifiedFields) -> dict[str, Any]:
    now, sealed = clock.now(), encryption.cipher(encryption.PENDING_TOKEN).encrypt(token)
    identity = {"id": uuid7(), "digest": digest, "sealed": sealed, **asdict(unverified)}
    unsettled = {"fault": None, "settled_at": None, "subscription_id": None}
    return {**identity, "parked_at": now, "next_try_at": now + FIRST_RETRY_DELAY, "tries": 0, **unsettled}


@query
def find(connection: Connection, pending_token_id: UUID) -> Row[Any] | None:
    """Return the pending token and what has become of it; None where there is none, or it was purged."""
    return connection.execute(BY_ID, {"id": pending_token_id}).one_or_none()


@transaction
def purge(connection: Connection) -> int:
    """Delete the settled tokens that no session and no registration needs any more; return how many."""
    return connection.execute(PURGE, {"before": clock.now() - PURGE_AFTER}).rowcount


def lock(connection: Connection, token_id: UUID) -> UUID | None:
    """Lock the token until the caller's transaction ends; return its subscription's id once AWS has resolved it.

    Raises:
        NoPurchase: the token was purged.
    """
    token = connection.execute(LOCK, {"id": token_id}).one_or_none()
    if token is None:
        raise NoPurchase
    subscription_id: UUID | None = token.subscription_id
    return subscription_id


def move_registrations(
    connection: Connection, registration_ids: Iterable[UUID], email: str, key: Mapping[str, UUID | None]
) -> None:
    """Move registrations of this address whose token was given up to the purchase with this key, if it has none.

    Those that remain are deleted: the buyer has registered again.
    """
    for registration_id in registration_ids:
        for statement in (MOVE_TO_PURCHASE, DELETE_SUPERSEDED):
            connection.execute(statement, {**key, "registration": registration_id, "email": email})

"""API tokens: what each may do, and for which products. Only a token's SHA-256 digest is stored, never the token."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

import structlog
from sqlalchemy import Connection, Uuid, bindparam, insert, select, update
from uuid_utils.compat import uuid7

from app.database import clock, rows
from app.database.rows import RowDict
from app.database.transactions import after_commit, query, transaction
from app.models import ApiToken, UtcDateTime
from app.services.operations import audit
from app.services.operations.audit import AuditRecord

log = structlog.get_logger()

READ, WRITE_USAGE = "read", "usage:write"
SCOPES = (READ, WRITE_USAGE)
# Secret scanners recognise a leaked token by it.
PREFIX = "foyer_"
RANDOM_BYTES = 32
LENGTH = len(PREFIX) + -(-RANDOM_BYTES * 4 // 3)
CREATED, REVOKED = "api_token.created", "api_token.revoked"
COLUMNS = (
    ApiToken.id,
    ApiToken.name,
    ApiToken.product_codes,
    ApiToken.scopes,
    ApiToken.created_at,
    ApiToken.revoked_at,
)
NEWEST_FIRST = select(*COLUMNS).order_by(ApiToken.id.desc())
HAS_ID = ApiToken.id == bindparam("token_id", type_=Uuid)
BY_ID = select(*COLUMNS).where(HAS_ID)
BY_DIGEST = select(ApiToken.id, ApiToken.product_codes, ApiToken.scopes).where(
    ApiToken.digest == bindparam("token_digest"), ApiToken.revoked_at.is_(None)
)
REVOKE = (
    update(ApiToken).where(HAS_ID, ApiToken.revoked_at.is_(None)).values(revoked_at=bindparam("now", type_=UtcDateTime))
)


@dataclass(frozen=True)
class Reader:
    """The token of a request, the products that it is for, None being every product, and its scopes."""

    token_id: UUID
    product_codes: frozenset[str] | None
    scopes: frozenset[str] = frozenset({READ})


@transaction
def create(
    connection: Connection, name: str, product_codes: Sequence[str] | None, actor: str, scopes: Sequence[str] = (READ,)
) -> tuple[UUID, str]:
    """Create a token for these products, None being every product, with an audit entry; return its id and its text.

    After DatabaseUnavailable it may have been stored all the same, without anyone having seen it: revoke it.
    """
    token_id, token = uuid7(), PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    now = clock.now()
    codes = None if product_codes is None else sorted(set(product_codes))
    row = {"id": token_id, "name": name, "digest": digest(token), "product_codes": codes, "created_at": now}
    connection.execute(insert(ApiToken), {**row, "scopes": sorted(set(scopes))})
    audit.record(connection, [AuditRecord(now, CREATED, actor)])
    after_commit(log.info, CREATED, api_token=str(token_id))
    return token_id, token


@transaction
def revoke(connection: Connection, token_id: UUID, actor: str) -> RowDict | None:
    """Refuse the token from now on, with an audit entry; return its row, or None if no token has the id.

    Revoking twice is a success and changes nothing.
    """
    now = clock.now()
    if connection.execute(REVOKE, {"token_id": token_id, "now": now}).rowcount:
        audit.record(connection, [AuditRecord(now, REVOKED, actor)])
        after_commit(log.info, REVOKED, api_token=str(token_id))
    token = connection.execute(BY_ID, {"token_id": token_id}).mappings().one_or_none()
    return dict(token) if token else None


@query
def list_all(connection: Connection) -> list[RowDict]:
    """Return all tokens, newest first, without their digests."""
    # Tokens of earlier versions have no scopes stored.
    return [{**row, "scopes": row["scopes"] or [READ]} for row in rows.fetch_all(connection, NEWEST_FIRST)]


@query
def authenticate(connection: Connection, token: str) -> Reader | None:
    """Return what the token may do; None if it is unknown or has been revoked."""
    # Text that cannot be a token costs no connection.
    if not token.startswith(PREFIX) or len(token) != LENGTH:
        return None
    row = connection.execute(BY_DIGEST, {"token_digest": digest(token)}).one_or_none()
    if row is None:
        return None
    codes = None if row.product_codes is None else frozenset(row.product_codes)
    return Reader(row.id, codes, frozenset(row.scopes or (READ,)))


def digest(token: str) -> bytes:
    """Return what is stored of the token. SHA-256 needs no salt here: 32 random bytes cannot be guessed."""
    return sha256(token.encode()).digest()

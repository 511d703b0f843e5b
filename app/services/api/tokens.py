"""Tokens: who may read the API, and of which products. A token itself is never stored, only its digest."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import structlog
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from app.database import rows
from app.database.rows import RowDict
from app.database.transactions import query, transaction
from app.models import ApiToken
from app.services.operations import audit
from app.services.operations.audit import AuditRecord

log = structlog.get_logger()

# Whoever finds one, as scanners of source code do, knows what it is.
PREFIX = "foyer_"
RANDOM_BYTES = 32
LENGTH = len(PREFIX) + -(-RANDOM_BYTES * 4 // 3)
CREATED, REVOKED = "api_token.created", "api_token.revoked"
COLUMNS = (ApiToken.id, ApiToken.name, ApiToken.product_codes, ApiToken.created_at, ApiToken.revoked_at)


@dataclass(frozen=True)
class Reader:
    """Whose token it is that came with a request. `product_codes` None: every product."""

    token_id: UUID
    product_codes: frozenset[str] | None


@dataclass(frozen=True)
class CreatedToken:
    """A new token; there is no other way to learn it again."""

    id: UUID
    token: str


def create(name: str, product_codes: Sequence[str] | None, actor: str) -> CreatedToken:
    """Make a token for these products, None being every product, and record by whom.

    Raises:
        DatabaseUnavailable: there may be one that nobody knows; revoke it.
    """
    made = CreatedToken(uuid7(), PREFIX + secrets.token_urlsafe(RANDOM_BYTES))
    row = {
        "id": made.id,
        "name": name,
        "digest": digest(made.token),
        "product_codes": None if product_codes is None else sorted(set(product_codes)),
        "created_at": datetime.now(UTC),
    }
    _insert(row, actor)
    log.info(CREATED, api_token=str(made.id))
    return made


def revoke(token_id: UUID, actor: str) -> RowDict | None:
    """Let the token in no longer, and record by whom; return it, or None where there is none with that id.

    A second time is success, and changes nothing.
    """
    is_new = _revoke(token_id, actor, datetime.now(UTC))
    if is_new:
        log.info(REVOKED, api_token=str(token_id))
    return next((row for row in list_all() if row["id"] == token_id), None)


@query
def list_all(session: Session) -> list[RowDict]:
    """Return all tokens, the newest first."""
    return rows.fetch_all(session, select(*COLUMNS).order_by(ApiToken.id.desc()))


def authenticate(token: str) -> Reader | None:
    """Return whose token it is; None where it is no token, or has been revoked."""
    # What cannot be one is not asked of the database.
    return _find_by_digest(digest(token)) if token.startswith(PREFIX) and len(token) == LENGTH else None


def digest(token: str) -> bytes:
    """Return what is stored of the token: of 32 random bytes, nobody finds it by trying."""
    return sha256(token.encode()).digest()


@transaction
def _insert(connection: Connection, row: RowDict, actor: str) -> None:
    connection.execute(insert(ApiToken), row)
    audit.record(connection, [AuditRecord(row["created_at"], CREATED, actor)])


@transaction
def _revoke(connection: Connection, token_id: UUID, actor: str, now: datetime) -> bool:
    revoked = update(ApiToken).where(ApiToken.id == token_id, ApiToken.revoked_at.is_(None))
    is_new = bool(connection.execute(revoked.values(revoked_at=now)).rowcount)
    if is_new:
        audit.record(connection, [AuditRecord(now, REVOKED, actor)])
    return is_new


@query
def _find_by_digest(session: Session, token_digest: bytes) -> Reader | None:
    known = select(ApiToken.id, ApiToken.product_codes).where(
        ApiToken.digest == token_digest, ApiToken.revoked_at.is_(None)
    )
    found = session.execute(known).one_or_none()
    if found is None:
        return None
    return Reader(found.id, None if found.product_codes is None else frozenset(found.product_codes))

"""Encrypts anew, with the present secret key, what the database has that a leaked one encrypted."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, bindparam, select, update

from app.database.rows import MIN_ID
from app.database.transactions import after_commit, query, transaction
from app.models import Heartbeat, PendingToken, StoredDraft
from app.security import encryption
from app.services.operations import heartbeats

log = structlog.get_logger()

BATCH_ROWS = 500
PURPOSES: dict[type[PendingToken] | type[StoredDraft], str] = {
    PendingToken: encryption.PENDING_TOKEN,
    StoredDraft: encryption.STORED_DRAFT,
}
NEXT_BATCH = {
    model: select(model.id, model.sealed)
    .where(model.sealed.is_not(None), model.id > bindparam("last_id"))
    .order_by(model.id)
    .limit(BATCH_ROWS)
    for model in PURPOSES
}
# Not one that was settled or written anew since it was read.
RESEAL = {
    model: update(model)
    .where(model.id == bindparam("row"), model.sealed == bindparam("before"))
    .values(sealed=bindparam("resealed"))
    for model in PURPOSES
}
LAST_USE = select(Heartbeat.at).where(Heartbeat.chore == bindparam("name"))


def reseal() -> int:
    """Encrypt anew what the leaked keys encrypted, and return how much that was; record when that was last."""
    names = encryption.leaked_secret_names()
    if not names:
        return 0
    count = 0
    for model in PURPOSES:
        for batch in _batches(model):
            count += _reseal_batch(model, batch)
    for name in names:
        # A key that is new in the list may have encrypted until now.
        if count or find_last_use(name) is None:
            heartbeats.record(name)
    return count


@transaction
def _reseal_batch(connection: Connection, model: type[PendingToken] | type[StoredDraft], rows: list[Row[Any]]) -> int:
    resealed = [(row, encryption.cipher(PURPOSES[model]).reseal(row.sealed)) for row in rows]
    changes = [{"row": row.id, "before": row.sealed, "resealed": sealed} for row, sealed in resealed if sealed]
    for change in changes:
        connection.execute(RESEAL[model], change)
    if changes:
        after_commit(log.info, "secrets.resealed", table=model.__tablename__, rows=len(changes))
    return len(changes)


def count_sealed() -> int:
    """Return how many pending tokens and drafts in the database a leaked key encrypted."""
    return sum(
        encryption.cipher(purpose).decrypt_leaked(row.sealed) is not None
        for model, purpose in PURPOSES.items()
        for batch in _batches(model)
        for row in batch
    )


def last_use() -> datetime | None:
    """Return when a worker last found something that a leaked key encrypted; None where none has looked."""
    times = [find_last_use(name) for name in encryption.leaked_secret_names()]
    return max(filter(None, times), default=None) if all(times) else None


@query
def find_last_use(connection: Connection, name: str) -> datetime | None:
    """Return when a worker last found something encrypted while the key of this name was listed."""
    return connection.scalar(LAST_USE, {"name": name})


def _batches(model: type[PendingToken] | type[StoredDraft]) -> Iterator[list[Row[Any]]]:
    rows = _next_batch(model, MIN_ID)
    while rows:
        yield rows
        rows = _next_batch(model, rows[-1].id)


@query
def _next_batch(connection: Connection, model: type[PendingToken] | type[StoredDraft], last_id: UUID) -> list[Row[Any]]:
    return list(connection.execute(NEXT_BATCH[model], {"last_id": last_id}))

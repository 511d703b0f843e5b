"""Drafts on the server: what a buyer typed into a purchase's form, where it does not fit the draft cookie.

The answers are encrypted, and a draft expires after a day. The cookie has the draft's id, and as many of the answers as
fit: the form shows these while the database is down. A draft belongs to a purchase by the secret of the purchase's
form, because a browser that lost its session still sends the form.
"""

import json
import zlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, delete, func, select
from uuid_utils.compat import uuid7

from app.config import products
from app.database import clock
from app.database.rows import RowDict
from app.database.statements import upsert_statement
from app.database.transactions import query, transaction
from app.errors import DatabaseUnavailable
from app.models import EarlierKey, PendingToken, StoredDraft, Subscription
from app.security import encryption, form_secrets, headers

# As long as a session, and as the cookie that leads here.
TTL = timedelta(hours=headers.SESSION_HOURS)
# The longest valid answers to the built-in questions need 16 KB, and each character of others at most 6 bytes: 4 in
# UTF-8, which encryption makes a third longer. All drafts together fill 160 MB, and with the most questions 640 MB.
MAX_SEALED_BYTES = 32 * 1024
SEALED_BYTES_OF_CHARACTER = 6
MAX_DRAFTS = 5000
# The purchaser, colleagues, and a second browser of each. A flood of forms for one purchase needs no more space.
MAX_DRAFTS_OF_PURCHASE = 5

TABLE = StoredDraft.__table__
BY_ID = StoredDraft.id == bindparam("draft_id")
UPSERT = upsert_statement(
    TABLE,
    natural_key="id",
    updates={name: f"excluded.{name}" for name in ("purchase_digest", "sealed", "stored_at", "expires_at")},
)
SELECT_CURRENT = select(TABLE).where(BY_ID, StoredDraft.expires_at > bindparam("now"))
SELECT_ALL = select(TABLE).where(StoredDraft.expires_at > bindparam("now")).order_by(StoredDraft.id.desc())
COUNT_OTHERS = select(func.count()).select_from(StoredDraft).where(StoredDraft.id != bindparam("draft_id"))
OF_PURCHASE = StoredDraft.purchase_digest == bindparam("purchase_digest")
NEWEST_OF_PURCHASE = (
    select(StoredDraft.id).where(OF_PURCHASE).order_by(StoredDraft.id.desc()).limit(MAX_DRAFTS_OF_PURCHASE)
)
DELETE_SURPLUS = delete(StoredDraft).where(OF_PURCHASE, StoredDraft.id.not_in(NEWEST_OF_PURCHASE))
DELETE = delete(StoredDraft).where(BY_ID)
IS_OF_PURCHASES = StoredDraft.purchase_digest.in_(bindparam("purchase_digests", expanding=True))
DELETE_OF_PURCHASES = delete(StoredDraft).where(IS_OF_PURCHASES)
SELECT_OF_PURCHASES = (
    select(StoredDraft.id, StoredDraft.stored_at, StoredDraft.expires_at)
    .where(IS_OF_PURCHASES, StoredDraft.expires_at > bindparam("now"))
    .order_by(StoredDraft.id.desc())
)
PURGE = delete(StoredDraft).where(StoredDraft.expires_at <= bindparam("now"))
# Every name that a form of the subscription can have been made with.
SUBSCRIPTION_IDS: Any = bindparam("subscriptions", expanding=True)
PURCHASE_NAMES = (
    select(Subscription.purchase_key).where(Subscription.id.in_(SUBSCRIPTION_IDS)),
    select(EarlierKey.purchase_key).where(EarlierKey.subscription_id.in_(SUBSCRIPTION_IDS)),
    select(PendingToken.id).where(PendingToken.subscription_id.in_(SUBSCRIPTION_IDS)),
)


def try_store(form_secret: str, typed: dict[str, str], draft_id: UUID | None = None) -> UUID | None:
    """Store the answers for a day and return the draft's id: the one given, or a new one.

    None while the database is down, and where the answers are too long or there are too many drafts.
    """
    plaintext = zlib.compress(json.dumps(typed, ensure_ascii=False).encode())
    sealed = encryption.cipher(encryption.STORED_DRAFT).encrypt(plaintext)
    if len(sealed) > MAX_SEALED_BYTES + SEALED_BYTES_OF_CHARACTER * products.current().max_answer_characters:
        return None
    with suppress(DatabaseUnavailable):
        return _store(draft_id or uuid7(), _digest(form_secret), sealed)
    return None


@transaction
def _store(connection: Connection, draft_id: UUID, purchase_digest: bytes, sealed: bytes) -> UUID | None:
    if connection.execute(COUNT_OTHERS, {"draft_id": draft_id}).scalar_one() >= MAX_DRAFTS:
        return None
    now = clock.now()
    row = {"id": draft_id, "purchase_digest": purchase_digest, "sealed": sealed}
    connection.execute(UPSERT, {**row, "stored_at": now, "expires_at": now + TTL})
    connection.execute(DELETE_SURPLUS, {"purchase_digest": purchase_digest})
    return draft_id


def try_load(draft_id: UUID, form_secret: str) -> dict[str, str] | None:
    """Return the answers typed into the form with that secret.

    None where there is no such draft any more, its key is no longer set, or the database is down.
    """
    with suppress(DatabaseUnavailable):
        draft = _find(draft_id)
        return _decrypt(draft) if draft and draft.purchase_digest == _digest(form_secret) else None
    return None


@query
def _find(connection: Connection, draft_id: UUID) -> Row[Any] | None:
    return connection.execute(SELECT_CURRENT, {"draft_id": draft_id, "now": clock.now()}).one_or_none()


def try_delete(draft_id: UUID) -> None:
    """Delete the draft; while the database is down, leave it to expire."""
    with suppress(DatabaseUnavailable):
        _delete(draft_id)


def delete_in_transaction(connection: Connection, draft_id: UUID) -> bool:
    """Delete the draft, and return whether there was one."""
    return connection.execute(DELETE, {"draft_id": draft_id}).rowcount > 0


_delete = transaction(delete_in_transaction)


@query
def newest(connection: Connection, *, limit: int | None = None, email: str | None = None) -> list[RowDict]:
    """Return the drafts, newest first, with the answers by field; `email` matches in upper or lower case.

    Each draft is decrypted: the database cannot search in them. Without a key, a draft has no answers.
    """
    rows = connection.execute(SELECT_ALL, {"now": clock.now()})
    drafts = [{**row._mapping, "answers": _decrypt(row) or {}} for row in rows]
    wanted = email.strip().lower() if email is not None else None
    matches = [draft for draft in drafts if wanted in {None, draft["answers"].get("email", "").strip().lower()}]
    shown = ("id", "stored_at", "expires_at", "answers")
    return [{name: draft[name] for name in shown} for draft in matches[:limit]]


def delete_of_purchases(
    connection: Connection, subscription_ids: Sequence[UUID], pending_token_ids: Sequence[UUID]
) -> None:
    """Delete all drafts of these subscriptions' and pending tokens' forms, also of forms from before a renewal."""
    digests = _digests_of_purchases(connection, subscription_ids, pending_token_ids)
    connection.execute(DELETE_OF_PURCHASES, {"purchase_digests": digests})


@query
def of_purchase(connection: Connection, subscription_id: UUID | None, pending_token_id: UUID | None) -> list[RowDict]:
    """Return the drafts of one purchase's forms, newest first, without the answers."""
    ids = [[id_] if id_ else [] for id_ in (subscription_id, pending_token_id)]
    digests = _digests_of_purchases(connection, *ids)
    drafts = connection.execute(SELECT_OF_PURCHASES, {"purchase_digests": digests, "now": clock.now()})
    return [dict(draft) for draft in drafts.mappings()]


def _digests_of_purchases(
    connection: Connection, subscription_ids: Sequence[UUID], pending_token_ids: Sequence[UUID]
) -> list[bytes]:
    parameters = {"subscriptions": subscription_ids}
    names = {str(name) for select_names in PURCHASE_NAMES for name in connection.scalars(select_names, parameters)}
    names.update(map(str, pending_token_ids))
    return [_digest(secret) for name in names for secret in form_secrets.all_known(name)]


@transaction
def purge(connection: Connection) -> int:
    """Delete the expired drafts; return how many."""
    return connection.execute(PURGE, {"now": clock.now()}).rowcount


def _digest(form_secret: str) -> bytes:
    return sha256(form_secret.encode()).digest()


def _decrypt(draft: Row[Any]) -> dict[str, str] | None:
    cipher = encryption.cipher(encryption.STORED_DRAFT)
    plaintext = cipher.decrypt(draft.sealed, TTL) or cipher.decrypt_leaked(draft.sealed, TTL)
    if plaintext is None:
        return None
    typed: dict[str, str] = json.loads(zlib.decompress(plaintext))
    return typed

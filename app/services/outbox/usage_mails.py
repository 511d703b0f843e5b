"""Mails about a product's usage: many problems make one mail, and the seller gets one in an hour at most.

A mail waits for a minute, and one that follows within the hour until the hour is over. What happens meanwhile is added
to the mail that waits. A worker that has claimed a mail has read what it says, so that the next problem makes another:

    10:00:00  3 hours refused     a mail with 3, due at 10:01
    10:00:20  2 hours refused     the same mail, with 5
    10:01:01  the worker sends it
    10:05:00  1 hour refused      a mail with 1, due at 11:01
    10:50:00  4 items are held    the same mail, with 5
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, text, update
from uuid_utils.compat import uuid7

from app.config import products
from app.database import clock
from app.models import OutboxMessage, UsageMail, UtcDateTime
from app.services.outbox import queue

PROBLEM, SETUP = "seller_usage_problem", "seller_usage_setup"
GATHERED_FOR = timedelta(minutes=1)
# The least time between two mails of a type. The keys are all types of mails about usage.
MIN_INTERVALS = {PROBLEM: timedelta(hours=1), SETUP: timedelta(days=1)}
# Of more, the mail has the number.
MAX_NAMED = 100
# The row of the product is there and locked afterwards.
LOCK_LATEST = (
    text(
        "INSERT INTO usage_mails (product_code, type) VALUES (:product, :type)"
        " ON CONFLICT (product_code, type) DO UPDATE SET type = excluded.type RETURNING message_id, due_at"
    )
).columns(UsageMail.message_id, UsageMail.due_at)
STORE_LATEST = (
    update(UsageMail)
    .where(UsageMail.product_code == bindparam("of_product"), UsageMail.type == bindparam("of_type"))
    .values(message_id=bindparam("latest"), due_at=bindparam("due", type_=UtcDateTime))
)
MESSAGES: Any = OutboxMessage.__table__
LOCK_UNREAD = (
    select(MESSAGES.c.payload)
    .where(MESSAGES.c.id == bindparam("message"), MESSAGES.c.outcome == "waiting", MESSAGES.c.tries == 0)
    .with_for_update()
)
STORE_PAYLOAD = (
    update(OutboxMessage).where(OutboxMessage.id == bindparam("message")).values(payload=bindparam("new_payload"))
)


class UsageProblem(NamedTuple):
    """What is wrong with the hour, or with the item, of that id.

    `conflict`, `refused`, `expired`: the hour is not billed. `overdue`: it is unsent for half of its time. `held`: the
    item is billed in no hour.
    """

    kind: str
    id: UUID


def enqueue_problems(connection: Connection, product_code: str, problems: Sequence[UsageProblem]) -> None:
    """Let the seller read about the problems, in the mail that waits or in another.

    Call it last in a transaction: the products' other transactions with a problem wait for it.
    """
    if not _sends_mail(product_code):
        return
    latest_id, due_at = _lock_latest(connection, product_code, PROBLEM)
    found = connection.execute(LOCK_UNREAD, {"message": latest_id}).one_or_none()
    if found:
        connection.execute(STORE_PAYLOAD, {"message": latest_id, "new_payload": _add(found.payload, problems)})
        return
    now = clock.now()
    due = max(now + GATHERED_FOR, due_at + MIN_INTERVALS[PROBLEM] if due_at else now)
    _enqueue(connection, PROBLEM, _add({"product": product_code}, problems), due)


def enqueue_setup(connection: Connection, product_code: str, fault: str, code: str) -> None:
    """Let the seller read, once a day, that none of the product's usage can be sent, and why."""
    if not _sends_mail(product_code):
        return
    _, due_at = _lock_latest(connection, product_code, SETUP)
    now = clock.now()
    if due_at is None or now >= due_at + MIN_INTERVALS[SETUP]:
        _enqueue(connection, SETUP, {"product": product_code, "fault": fault, "code": code}, now)


def _sends_mail(product_code: str) -> bool:
    configured = products.current()
    return configured.sends_mail and product_code in configured


def _lock_latest(connection: Connection, product_code: str, type_: str) -> tuple[UUID | None, datetime | None]:
    row = connection.execute(LOCK_LATEST, {"product": product_code, "type": type_}).one()
    return row.message_id, row.due_at


def _add(payload: dict[str, Any], problems: Sequence[UsageProblem]) -> dict[str, Any]:
    named = [*payload.get("problems", []), *([problem.kind, str(problem.id)] for problem in problems)]
    counts = Counter(payload.get("counts", {})) + Counter(problem.kind for problem in problems)
    return {**payload, "problems": named[:MAX_NAMED], "counts": dict(counts)}


def _enqueue(connection: Connection, type_: str, payload: dict[str, Any], due: datetime) -> None:
    mail = {**queue.new_mail(type_, payload=payload), "id": uuid7(), "next_try_at": due, "due_since": due}
    queue.enqueue(connection, [mail])
    latest = {"of_product": payload["product"], "of_type": type_, "latest": mail["id"], "due": due}
    connection.execute(STORE_LATEST, latest)

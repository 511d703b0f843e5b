"""Gives up what waits for a lane that was switched off: stale messages must not go out once it is on again.

That is a product's hand-offs after its `handoff_url` was taken away, or all mails after `MAIL_FROM` was.
"""

from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy import BindParameter, Connection, Uuid, bindparam, select, update

from app.config import products
from app.database import clock
from app.database.transactions import after_commit, transaction
from app.models import OutboxMessage, UtcDateTime
from app.services.outbox import queue
from app.services.purchases import subscriptions

log = structlog.get_logger()

SWITCHED_OFF = "switched_off"
BATCH_ROWS = 500
IDS: BindParameter[UUID] = bindparam("ids", expanding=True, type_=Uuid)
IS_STALE = (
    (OutboxMessage.outcome == "waiting")
    & OutboxMessage.lane.not_in(bindparam("lanes", expanding=True))
    & (OutboxMessage.created_at < bindparam("created_before", type_=UtcDateTime))
)
SELECT_STALE = (
    select(OutboxMessage.id, OutboxMessage.subscription_id).where(IS_STALE).order_by(OutboxMessage.id).limit(BATCH_ROWS)
)
GIVE_UP = (
    update(OutboxMessage)
    .where(OutboxMessage.id.in_(IDS), IS_STALE)
    .values(outcome="failed", settled_at=bindparam("now"), next_try_at=None, fault=SWITCHED_OFF)
    .returning(OutboxMessage.lane, OutboxMessage.sequence, OutboxMessage.subscription_id)
)


def configured_lanes() -> list[str]:
    """Return the lanes from which something is sent: of products with a hand-off endpoint, and of mail if it is on."""
    configured = products.current()
    lanes = [queue.handoff_lane(code) for code in configured.handoff_endpoints]
    return [*lanes, queue.MAIL_LANE] if configured.sends_mail else lanes


def give_up_stale() -> None:
    """Give up every message that is older than the retry window, in a lane from which nothing is sent."""
    lanes = configured_lanes()
    while _give_up_batch(lanes) == BATCH_ROWS:
        pass


@transaction
def _give_up_batch(connection: Connection, lanes: Sequence[str]) -> int:
    now = clock.now()
    parameters = {"lanes": lanes, "created_before": now - queue.RETRY_WINDOW}
    stale = connection.execute(SELECT_STALE, parameters).all()
    for subscription_id in sorted({row.subscription_id for row in stale if row.subscription_id}):
        subscriptions.lock(connection, subscription_id)
    given_up = connection.execute(GIVE_UP, {**parameters, "ids": [row.id for row in stale], "now": now}).all()
    if released := {row.subscription_id for row in given_up if row.sequence}:
        queue.release_next(connection, *released)
    for lane in sorted({row.lane for row in given_up}):
        count = sum(row.lane == lane for row in given_up)
        after_commit(log.error, "outbox.given_up", lane=lane, count=count, fault=SWITCHED_OFF)
    return len(stale)

"""Hand-offs: sends what is promised to products, as Standard Webhooks has it, and keeps what they answer.

Follows https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import json
import random
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, exists, select
from standardwebhooks import Webhook

from app import http_client
from app.config.handoff_endpoints import Receiver
from app.database.transactions import transaction
from app.http_client import Answer, Unanswered
from app.mail import mailer
from app.models import OutboxMessage
from app.services.outbox import account_reply, announce, queue
from app.services.outbox.account_reply import ProductAnswer
from app.services.outbox.queue import Claimed

log = structlog.get_logger()

GONE = 410
FIRST_PAUSE_SECONDS = 1
LONGEST_PAUSE_SECONDS = 900


def send(receiver: Receiver, claimed: Claimed, *, allow_private: bool = False) -> bool:
    """Send the hand-off, settle or postpone it, and return whether it was settled.

    Raises:
        DatabaseUnavailable: it is not settled and comes up again, so that the product may get it twice.
    """
    try:
        answer = _post(receiver, claimed, allow_private=allow_private)
    except Unanswered as error:
        return not_taken(claimed, error.code)
    if 200 <= answer.status < 300:
        return _taken(claimed, account_reply.parse(answer.body, allow_http=allow_private))
    if answer.status == GONE:
        return _given_up(claimed, "410")
    return not_taken(claimed, str(answer.status), answer.retry_after)


def webhook_id(message_id: UUID) -> str:
    """Return what the product knows the hand-off by, however often it comes."""
    return f"msg_{message_id.hex}"


def _post(receiver: Receiver, claimed: Claimed, *, allow_private: bool) -> Answer:
    body = json.dumps(claimed.payload, ensure_ascii=False, separators=(",", ":"))
    headers = _signed(receiver, webhook_id(claimed.id), datetime.now(UTC), body)
    return http_client.post(receiver.url, body.encode(), headers, allow_private=allow_private)


def _signed(receiver: Receiver, message_id: str, now: datetime, body: str) -> dict[str, str]:
    # While secrets rotate, a product verifies with whichever it knows.
    signatures = [Webhook(secret).sign(message_id, now, body) for secret in receiver.secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "foyer",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _taken(claimed: Claimed, said: ProductAnswer | None) -> bool:
    if said is None:
        log.warning("handoff.answer_not_read", handoff=str(claimed.id), type=claimed.type)
    _deliver(claimed, said or account_reply.NOTHING)
    log.info("handoff.delivered", handoff=str(claimed.id), type=claimed.type, tries=claimed.tries)
    return True


@transaction
def _deliver(connection: Connection, claimed: Claimed, said: ProductAnswer) -> None:
    subscription_id = queue.settle(connection, claimed, "delivered", fault=said.refused)
    if subscription_id is None or _is_overtaken(connection, claimed):
        return
    if account_reply.keep(connection, subscription_id, said, is_about_account=claimed.type in announce.OF_REGISTRATION):
        announce.note(connection, subscription_id, datetime.now(UTC))


def _is_overtaken(connection: Connection, claimed: Claimed) -> bool:
    """Return whether the product has answered a later hand-off of the registration: one that was sent again is old."""
    this, later = OutboxMessage.__table__.alias(), OutboxMessage
    answered = exists().where(
        this.c.id == claimed.id,
        later.subscription_id == this.c.subscription_id,
        later.sequence > this.c.sequence,
        later.type.in_(announce.OF_REGISTRATION),
        later.outcome == "delivered",
    )
    return bool(connection.execute(select(answered)).scalar())


def not_taken(claimed: Claimed, fault: str, retry_after: float | None = None) -> bool:
    """Count a try that failed: postpone the hand-off or, after three days, give it up; return whether it was given up.

    Raises:
        DatabaseUnavailable: it comes up again once its lease is over.
    """
    if not queue.put_off(claimed, pause_seconds(claimed.tries, retry_after), fault):
        return _given_up(claimed, fault)
    log.warning("handoff.postponed", handoff=str(claimed.id), type=claimed.type, fault=fault, tries=claimed.tries)
    return False


def pause_seconds(tries: int, retry_after: float | None) -> float:
    """Return after how many seconds the next try comes: as the product asked, or longer from try to try."""
    if retry_after is not None:
        # Those that were told the same do not all come at the same moment.
        return max(retry_after, FIRST_PAUSE_SECONDS) * random.uniform(1, 1.1)  # noqa: S311
    return queue.growing_pause(tries, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)


def _given_up(claimed: Claimed, fault: str) -> bool:
    _bury(claimed, fault)
    log.error("handoff.failed", handoff=str(claimed.id), type=claimed.type, fault=fault, tries=claimed.tries)
    return True


@transaction
def _bury(connection: Connection, claimed: Claimed, fault: str) -> None:
    subscription_id = queue.settle(connection, claimed, "failed", fault=fault)
    if subscription_id and mailer.is_on():
        about: dict[str, Any] = {"handoff": str(claimed.id), "type": claimed.type, "fault": fault}
        of_it = {"subscription_id": subscription_id, "registration_id": claimed.registration_id}
        queue.put_mail(connection, "seller_handoff_failed", **of_it, about=about)

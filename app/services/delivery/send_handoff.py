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
from app.backoff import backoff_seconds
from app.config.handoff_endpoints import HandoffEndpoint
from app.database.transactions import transaction
from app.http_client import Reply, RequestFailed
from app.mail import mailer
from app.models import OutboxMessage
from app.services.outbox import account_reply, announce, queue
from app.services.outbox.account_reply import AccountReply
from app.services.outbox.queue import ClaimedMessage

log = structlog.get_logger()

HTTP_GONE = 410
FIRST_BACKOFF_SECONDS = 1
MAX_BACKOFF_SECONDS = 900


def send(endpoint: HandoffEndpoint, claimed: ClaimedMessage, *, allow_private: bool = False) -> bool:
    """Send the hand-off, settle or postpone it, and return whether it was settled.

    Raises:
        DatabaseUnavailable: it is not settled and comes up again, so that the product may get it twice.
    """
    try:
        answer = _post(endpoint, claimed, allow_private=allow_private)
    except RequestFailed as error:
        return reschedule_or_fail(claimed, error.code)
    if 200 <= answer.status < 300:
        return _record_delivery(claimed, account_reply.parse(answer.body, allow_http=allow_private))
    if answer.status == HTTP_GONE:
        return _give_up(claimed, "410")
    return reschedule_or_fail(claimed, str(answer.status), answer.retry_after_seconds)


def webhook_id(message_id: UUID) -> str:
    """Return what the product knows the hand-off by, however often it comes."""
    return f"msg_{message_id.hex}"


def _post(endpoint: HandoffEndpoint, claimed: ClaimedMessage, *, allow_private: bool) -> Reply:
    body = json.dumps(claimed.payload, ensure_ascii=False, separators=(",", ":"))
    headers = _sign_headers(endpoint, webhook_id(claimed.id), datetime.now(UTC), body)
    return http_client.post(endpoint.url, body.encode(), headers, allow_private=allow_private)


def _sign_headers(endpoint: HandoffEndpoint, message_id: str, now: datetime, body: str) -> dict[str, str]:
    # While secrets rotate, a product verifies with whichever it knows.
    signatures = [Webhook(secret).sign(message_id, now, body) for secret in endpoint.secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "foyer",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _record_delivery(claimed: ClaimedMessage, reply: AccountReply | None) -> bool:
    if reply is None:
        log.warning("handoff.reply_unreadable", handoff=str(claimed.id), type=claimed.type)
    _settle_delivered(claimed, reply or account_reply.EMPTY_REPLY)
    log.info("handoff.delivered", handoff=str(claimed.id), type=claimed.type, tries=claimed.tries)
    return True


@transaction
def _settle_delivered(connection: Connection, claimed: ClaimedMessage, reply: AccountReply) -> None:
    subscription_id = queue.settle(connection, claimed, "delivered", fault=reply.refused)
    if subscription_id is None or _has_newer_reply(connection, claimed):
        return
    if account_reply.store(
        connection, subscription_id, reply, account_requested=claimed.type in announce.REGISTRATION_TYPES
    ):
        announce.touch(connection, subscription_id, datetime.now(UTC))


def _has_newer_reply(connection: Connection, claimed: ClaimedMessage) -> bool:
    """Return whether the product has answered a later hand-off of the registration: one that was sent again is old."""
    this, later = OutboxMessage.__table__.alias(), OutboxMessage
    answered = exists().where(
        this.c.id == claimed.id,
        later.subscription_id == this.c.subscription_id,
        later.sequence > this.c.sequence,
        later.type.in_(announce.REGISTRATION_TYPES),
        later.outcome == "delivered",
    )
    return bool(connection.execute(select(answered)).scalar())


def reschedule_or_fail(claimed: ClaimedMessage, fault: str, retry_after: float | None = None) -> bool:
    """Count a try that failed: postpone the hand-off or, after three days, give it up; return whether it was given up.

    Raises:
        DatabaseUnavailable: it comes up again once its lease is over.
    """
    if not queue.reschedule(claimed, _retry_delay_seconds(claimed.tries, retry_after), fault):
        return _give_up(claimed, fault)
    log.warning("handoff.rescheduled", handoff=str(claimed.id), type=claimed.type, fault=fault, tries=claimed.tries)
    return False


def _retry_delay_seconds(tries: int, retry_after: float | None) -> float:
    """Return after how many seconds the next try comes: as the product asked, or longer from try to try."""
    if retry_after is not None:
        # Those that were told the same do not all come at the same moment.
        return max(retry_after, FIRST_BACKOFF_SECONDS) * random.uniform(1, 1.1)  # noqa: S311
    return backoff_seconds(tries, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)


def _give_up(claimed: ClaimedMessage, fault: str) -> bool:
    _settle_failed(claimed, fault)
    log.error("handoff.failed", handoff=str(claimed.id), type=claimed.type, fault=fault, tries=claimed.tries)
    return True


@transaction
def _settle_failed(connection: Connection, claimed: ClaimedMessage, fault: str) -> None:
    subscription_id = queue.settle(connection, claimed, "failed", fault=fault)
    if subscription_id and mailer.is_enabled():
        about: dict[str, Any] = {"handoff": str(claimed.id), "type": claimed.type, "fault": fault}
        of_it = {"subscription_id": subscription_id, "registration_id": claimed.registration_id}
        queue.enqueue_mail(connection, "seller_handoff_failed", **of_it, payload=about)

"""Sends one hand-off to its product as a signed webhook, and stores the product's reply.

Follows https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import json
import random
from http import HTTPStatus

import structlog
from sqlalchemy import Connection, bindparam, exists, select
from standardwebhooks import Webhook

from app import http_client
from app.backoff import backoff_seconds
from app.config import products
from app.config.products import HandoffEndpoint
from app.database import clock
from app.database.transactions import after_commit, transaction
from app.models import OutboxMessage, Registration
from app.services.outbox import account_claim, account_reply, announce, queue
from app.services.outbox.queue import ClaimedMessage

log = structlog.get_logger()

FIRST_BACKOFF_SECONDS = 1
MAX_BACKOFF_SECONDS = 900
THIS_HANDOFF = OutboxMessage.__table__.alias()
# The product has replied to a later hand-off of the registration: the reply to one sent again is out of date.
HAS_NEWER_REPLY = select(
    exists().where(
        THIS_HANDOFF.c.id == bindparam("handoff"),
        OutboxMessage.subscription_id == THIS_HANDOFF.c.subscription_id,
        OutboxMessage.sequence > THIS_HANDOFF.c.sequence,
        OutboxMessage.type.in_(announce.REGISTRATION_TYPES),
        OutboxMessage.outcome == "delivered",
    )
)
# Its registration was erased, or had to make room for another person's: the reply is about that person's account.
IS_ABOUT_SOMEBODY_ELSE = select(
    exists().where(
        OutboxMessage.id == bindparam("handoff"),
        OutboxMessage.registration_id.is_not(None),
        ~exists().where(Registration.id == OutboxMessage.registration_id),
    )
)

REASONS_TO_IGNORE = (HAS_NEWER_REPLY, IS_ABOUT_SOMEBODY_ELSE)


def send(endpoint: HandoffEndpoint, claimed: ClaimedMessage, *, allow_private: bool = False) -> bool:
    """Send the hand-off, then settle or reschedule it, and return whether it is settled.

    After DatabaseUnavailable it is due again when its lease ends, so the product may receive it twice.
    """
    try:
        response = _post(endpoint, claimed, allow_private=allow_private)
    except http_client.RequestFailed as error:
        return reschedule_or_fail(claimed, error.code)
    if 200 <= response.status < 300:
        return _record_delivery(claimed, account_reply.parse(response.body, allow_http=allow_private))
    if response.status == HTTPStatus.GONE:
        return _give_up(claimed, "410")
    return reschedule_or_fail(claimed, str(response.status), response.retry_after_seconds)


def _post(endpoint: HandoffEndpoint, claimed: ClaimedMessage, *, allow_private: bool) -> http_client.Reply:
    body = json.dumps(claimed.payload, ensure_ascii=False, separators=(",", ":"))
    # The id is the same at every try, so that the product can drop duplicates.
    message_id, now = f"msg_{claimed.id.hex}", clock.now()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "foyer",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        # While a secret is rotated, the product may have the old one or the new one.
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, now, body) for secret in endpoint.secrets),
    }
    return http_client.post(
        endpoint.url, body.encode(), headers, http_client.RequestLimits(allow_private=allow_private)
    )


@transaction
def _record_delivery(connection: Connection, claimed: ClaimedMessage, reply: account_reply.AccountReply | None) -> bool:
    if reply is None:
        after_commit(log.warning, "handoff.reply_unreadable", handoff=str(claimed.id), type=claimed.type)
        reply = account_reply.EMPTY_REPLY
    after_commit(log.info, "handoff.delivered", handoff=str(claimed.id), type=claimed.type, tries=claimed.tries)
    # What the product refuses it has not taken.
    refusal = {"unsure_tries": claimed.unsure_tries - 1} if reply.refused else {}
    subscription_id = queue.settle(connection, claimed, "delivered", fault=reply.refused, **refusal)
    is_outdated = any(connection.scalar(reason, {"handoff": claimed.id}) for reason in REASONS_TO_IGNORE)
    if subscription_id is None or is_outdated:
        return True
    account_requested = claimed.type in announce.REGISTRATION_TYPES
    if account_reply.store(connection, subscription_id, reply, account_requested=account_requested):
        announce.touch(connection, subscription_id)
    return True


def reschedule_or_fail(claimed: ClaimedMessage, fault: str, retry_after: float | None = None) -> bool:
    """Reschedule the hand-off after a failed try or, after three days, fail it; return whether it is settled."""
    delay_seconds = _retry_delay_seconds(claimed.tries, retry_after)
    if not queue.reschedule(claimed, delay_seconds, fault, **account_claim.settled_try(claimed, fault)):
        return _give_up(claimed, fault)
    log.warning("handoff.rescheduled", handoff=str(claimed.id), type=claimed.type, fault=fault, tries=claimed.tries)
    return False


def _retry_delay_seconds(tries: int, retry_after: float | None) -> float:
    if retry_after is None:
        return backoff_seconds(tries, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
    # Hand-offs that got the same `Retry-After` must not all be sent in the same moment.
    return max(retry_after, FIRST_BACKOFF_SECONDS) * random.uniform(1, 1.1)  # noqa: S311


@transaction
def _give_up(connection: Connection, claimed: ClaimedMessage, fault: str) -> bool:
    failure = {"handoff": str(claimed.id), "type": claimed.type, "fault": fault}
    after_commit(log.error, "handoff.failed", **failure, tries=claimed.tries)
    values = account_claim.settled_try(claimed, fault)
    subscription_id = queue.settle(connection, claimed, "failed", fault=fault, **values)
    if subscription_id and products.current().sends_mail:
        ids = {"subscription_id": subscription_id, "registration_id": claimed.registration_id}
        queue.enqueue(connection, [queue.new_mail("seller_handoff_failed", payload=failure, **ids)])
    return True

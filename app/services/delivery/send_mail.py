"""Sends one mail of the outbox; its text is written from the database when it is sent."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, bindparam, func, select

from app.backoff import backoff_seconds
from app.config import products
from app.database.transactions import query, transaction
from app.languages import table
from app.mail import mailer
from app.mail.message import MailRefused, MailUnavailable
from app.models import OutboxMessage, Registration
from app.services.delivery import mail_limits, mail_templates, usage_problems
from app.services.delivery.mail_templates import MailContext
from app.services.outbox import payload, queue, usage_mails
from app.services.outbox.queue import ClaimedMessage
from app.services.signup import invitations, progress, resume_links

log = structlog.get_logger()

FIRST_BACKOFF_SECONDS = 5
MAX_BACKOFF_SECONDS = 3600
SELECT_REGISTRATION = select(Registration.__table__).where(Registration.id == bindparam("registration"))
TRIED_SINCE = func.coalesce(OutboxMessage.due_since, OutboxMessage.created_at).label("since")
SELECT_HANDOFF = select(OutboxMessage.id, OutboxMessage.type, OutboxMessage.tries, TRIED_SINCE).where(
    OutboxMessage.id == bindparam("handoff")
)
settle = transaction(queue.settle)


def send(claimed: ClaimedMessage, *, site_url: str) -> bool:
    """Send the mail, then settle or reschedule it, and return whether it is settled.

    A mail whose subject is gone, as after an erasure, is cancelled, and so is one over its address's limit. After
    DatabaseUnavailable the mail is due again when its lease ends, so it may be sent twice.
    """
    context = _load_context(claimed, site_url)
    context = context and _add_link(context, claimed)
    if context is None:
        settle(claimed, "cancelled")
        return True
    try:
        mail = mail_templates.compose(claimed.type, context)
        if mail_limits.is_over(claimed, mail.to):
            settle(claimed, "cancelled", fault="TooManyOfOneAddress")
            log.warning("mail.limited", mail=str(claimed.id), type=claimed.type)
            return True
        provider_id = mailer.send(mail, str(claimed.id))
    except MailRefused as error:
        return _give_up(claimed, error.code)
    except MailUnavailable as error:
        return reschedule_or_fail(claimed, error.code)
    settle(claimed, "delivered", provider_id=provider_id, fault=None)
    log.info("mail.sent", mail=str(claimed.id), type=claimed.type, tries=claimed.tries)
    return True


def reschedule_or_fail(claimed: ClaimedMessage, fault: str) -> bool:
    """Reschedule the mail after a failed try or, after three days, fail it; return whether it is settled."""
    delay = backoff_seconds(claimed.tries, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
    if not queue.reschedule(claimed, delay, fault):
        return _give_up(claimed, fault)
    log.warning("mail.rescheduled", mail=str(claimed.id), type=claimed.type, fault=fault, tries=claimed.tries)
    return False


def _give_up(claimed: ClaimedMessage, fault: str) -> bool:
    settle(claimed, "failed", fault=fault)
    log.error("mail.failed", mail=str(claimed.id), type=claimed.type, fault=fault, tries=claimed.tries)
    return True


@query
def _load_context(connection: Connection, claimed: ClaimedMessage, site_url: str) -> MailContext | None:
    """Return what the mail's templates need; None where the mail is no longer of use."""
    if claimed.type in usage_mails.MIN_INTERVALS:
        return _load_usage_context(connection, claimed, site_url)
    registration = connection.execute(SELECT_REGISTRATION, {"registration": claimed.registration_id}).one_or_none()
    if registration is None and claimed.type.startswith("buyer_"):
        return None
    rows = payload.load_rows(connection, claimed.subscription_id) if claimed.subscription_id else None
    snapshot = payload.build(rows) if rows else None
    happened_at = claimed.payload.get("happened_at")
    return MailContext(
        product=_product_of(snapshot),
        site_url=site_url,
        happened_at=datetime.fromisoformat(happened_at) if happened_at else claimed.created_at,
        registration=payload.Registration.from_row(registration) if registration else None,
        subscription=snapshot.subscription if snapshot else None,
        account=snapshot.account if snapshot else None,
        handoff=_load_failed_handoff(connection, claimed),
        language=table.of_code(registration.language if registration else None),
    )


def _load_usage_context(connection: Connection, claimed: ClaimedMessage, site_url: str) -> MailContext | None:
    product = products.current().get(claimed.payload["product"])
    context = MailContext(product=product, site_url=site_url, happened_at=claimed.created_at)
    if claimed.type == usage_mails.SETUP:
        return replace(context, usage_fault=usage_problems.fault_of(claimed.payload))
    problems = usage_problems.load(connection, claimed.payload)
    return replace(context, usage_problems=problems) if problems else None


def _product_of(snapshot: payload.SubscriptionSnapshot | None) -> products.Product | None:
    """Return the product; a purchase that AWS has not resolved can only be of a seller's single product."""
    by_code = products.current()
    if snapshot:
        return by_code.get(snapshot.subscription.product_code)
    return by_code.single


def _add_link(context: MailContext, claimed: ClaimedMessage) -> MailContext | None:
    """Return the context with the mail's link, where it has one; None where the link leads nowhere any more."""
    match claimed.type:
        case "buyer_registered" | "buyer_access_began" if context.registration:
            return replace(context, link=context.site_url + progress.LINK.path_for(context.registration.id))
        case "buyer_resume" if context.registration:
            path = resume_links.path_for(context.registration.id)
            expires_at = claimed.created_at + resume_links.TTL
            return replace(context, link=context.site_url + path, expires_at=expires_at) if path else None
        case "colleague_invited":
            invitation = invitations.find_open(UUID(claimed.payload["invitation"]))
            if invitation is None or invitation.email is None:
                return None
            link = context.site_url + invitations.LINK.path_for(invitation.id)
            language = table.of_code(invitation.language)
            return replace(context, link=link, expires_at=invitation.expires_at, to=invitation.email, language=language)
    return context


def _load_failed_handoff(connection: Connection, claimed: ClaimedMessage) -> dict[str, Any] | None:
    if "handoff" not in claimed.payload:
        return None
    row = connection.execute(SELECT_HANDOFF, {"handoff": UUID(claimed.payload["handoff"])}).mappings().one_or_none()
    return {**row, "fault": claimed.payload["fault"]} if row else None

"""Mailing: sends the mails that were promised; what is in them is looked up when they go out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from app.backoff import backoff_seconds
from app.config import products
from app.database.transactions import query, transaction
from app.mail import mailer
from app.mail.mailer import MailRefused, MailUnavailable
from app.models import OutboxMessage, Registration
from app.services.delivery import mail_templates
from app.services.delivery.mail_templates import FailedHandoff, MailContext
from app.services.outbox import payload, queue
from app.services.outbox.queue import ClaimedMessage
from app.services.signup import invitations, progress, resume_links

log = structlog.get_logger()

FIRST_BACKOFF_SECONDS = 5
MAX_BACKOFF_SECONDS = 3600
# Without their link these say nothing.
LINK_REQUIRED = {"buyer_resume", "colleague_invited"}


def send(claimed: ClaimedMessage, *, site_url: str) -> bool:
    """Send the mail, settle or postpone it, and return whether it was settled.

    One that is about something that is over, as after an erasure, is cancelled.

    Raises:
        DatabaseUnavailable: it is not settled and comes up again, so that it may be sent twice.
    """
    facts = _load_context(claimed, site_url)
    if facts is None:
        _settle(claimed, "cancelled")
        return True
    try:
        provider_id = mailer.send(mail_templates.compose(claimed.type, facts), str(claimed.id))
    except MailRefused as error:
        return _give_up(claimed, error.code)
    except MailUnavailable as error:
        return reschedule_or_fail(claimed, error.code)
    _settle(claimed, "delivered", provider_id=provider_id, fault=None)
    log.info("mail.sent", mail=str(claimed.id), letter=claimed.type, tries=claimed.tries)
    return True


def reschedule_or_fail(claimed: ClaimedMessage, fault: str) -> bool:
    """Count a try that failed: postpone the mail or, after three days, give it up; return whether it was given up.

    Raises:
        DatabaseUnavailable: it comes up again once its lease is over.
    """
    pause = backoff_seconds(claimed.tries, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
    if not queue.reschedule(claimed, pause, fault):
        return _give_up(claimed, fault)
    log.warning("mail.rescheduled", mail=str(claimed.id), letter=claimed.type, fault=fault, tries=claimed.tries)
    return False


def _give_up(claimed: ClaimedMessage, fault: str) -> bool:
    _settle(claimed, "failed", fault=fault)
    log.error("mail.failed", mail=str(claimed.id), letter=claimed.type, fault=fault, tries=claimed.tries)
    return True


@transaction
def _settle(connection: Connection, /, claimed: ClaimedMessage, outcome: str, **values: object) -> None:
    queue.settle(connection, claimed, outcome, **values)


@dataclass(frozen=True)
class MailLink:
    """A link in a letter, until when it is good, and to whom it goes where that is not the buyer."""

    path: str
    expires_at: datetime | None = None
    recipient: str | None = None


@query
def _load_context(session: Session, claimed: ClaimedMessage, site_url: str) -> MailContext | None:
    """Return what the letter tells of; None where it need not be sent any more."""
    told = payload.load(session, claimed.subscription_id) if claimed.subscription_id else None
    registration = _load_registration(session, claimed)
    way = _link_of(claimed)
    is_to_buyer = claimed.type.startswith("buyer_")
    if (is_to_buyer and registration is None) or (claimed.type in LINK_REQUIRED and way is None):
        return None
    sold = products.current()
    code = told.subscription.product_code if told else next(iter(sold)) if len(sold) == 1 else None
    return MailContext(
        product=sold.get(code) if code else None,
        site_url=site_url,
        happened_at=_happened_at(claimed),
        registration=registration,
        subscription=told.subscription if told else None,
        account=told.account if told else None,
        link=f"{site_url}{way.path}" if way else None,
        expires_at=way.expires_at if way else None,
        to=way.recipient if way else None,
        handoff=_load_failed_handoff(session, claimed.payload),
    )


def _happened_at(claimed: ClaimedMessage) -> datetime:
    told = claimed.payload.get("happened_at")
    return datetime.fromisoformat(told) if told else claimed.created_at


def _load_registration(session: Session, claimed: ClaimedMessage) -> payload.RegistrationOut | None:
    found = session.get(Registration, claimed.registration_id) if claimed.registration_id else None
    return payload.RegistrationOut.model_validate(found) if found else None


def _link_of(claimed: ClaimedMessage) -> MailLink | None:
    match claimed.type:
        case "buyer_registered" | "buyer_access_began" if claimed.registration_id:
            return MailLink(progress.path_for(claimed.registration_id))
        case "buyer_resume" if claimed.registration_id:
            link = resume_links.path_for(claimed.registration_id)
            return MailLink(link, claimed.created_at + resume_links.TTL) if link else None
        case "colleague_invited":
            return _invitation_link(UUID(claimed.payload["invitation"]))
    return None


def _invitation_link(invitation_id: UUID) -> MailLink | None:
    found = invitations.find_open(invitation_id)
    if found is None or found.email is None:
        return None
    return MailLink(invitations.LINK.path_for(found.id), found.expires_at, found.email)


def _load_failed_handoff(session: Session, mail_payload: dict[str, Any]) -> FailedHandoff | None:
    if "handoff" not in mail_payload:
        return None
    failed = session.execute(
        select(OutboxMessage.__table__).where(OutboxMessage.id == UUID(mail_payload["handoff"]))
    ).one_or_none()
    if failed is None:
        return None
    return FailedHandoff(
        failed.id, failed.type, failed.due_since or failed.created_at, failed.tries, mail_payload["fault"]
    )

"""Sends one mail of the outbox; its text is written from the database when it is sent."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import Connection, bindparam, select
from sqlalchemy.orm import Session

from app.backoff import backoff_seconds
from app.config import products
from app.config.products import Product
from app.database.transactions import after_commit, query, transaction
from app.mail import mailer
from app.mail.mailer import MailRefused, MailUnavailable
from app.models import OutboxMessage, Registration
from app.services.delivery import mail_templates
from app.services.delivery.mail_templates import FailedHandoff, MailContext
from app.services.outbox import payload, queue
from app.services.outbox.payload import RegistrationOut, SubscriptionSnapshot
from app.services.outbox.queue import ClaimedMessage
from app.services.signup import invitations, progress, resume_links

log = structlog.get_logger()

FIRST_BACKOFF_SECONDS = 5
MAX_BACKOFF_SECONDS = 3600
# These are of no use without their link.
LINK_REQUIRED = {"buyer_resume", "colleague_invited"}
SELECT_REGISTRATION = select(Registration.__table__).where(Registration.id == bindparam("registration"))
SELECT_HANDOFF = select(OutboxMessage.__table__).where(OutboxMessage.id == bindparam("handoff"))


def send(claimed: ClaimedMessage, *, site_url: str) -> bool:
    """Send the mail, then settle or reschedule it, and return whether it is settled.

    A mail whose subject is gone, as after an erasure, is cancelled.

    Raises:
        DatabaseUnavailable: it is due again when its lease ends, so it may be sent twice.
    """
    context = _load_context(claimed, site_url)
    if context is None:
        return _cancel(claimed)
    try:
        provider_id = mailer.send(mail_templates.compose(claimed.type, context), str(claimed.id))
    except MailRefused as error:
        return _give_up(claimed, error.code)
    except MailUnavailable as error:
        return reschedule_or_fail(claimed, error.code)
    return _record_delivery(claimed, provider_id)


def reschedule_or_fail(claimed: ClaimedMessage, fault: str) -> bool:
    """Reschedule the mail after a failed try or, after three days, fail it; return whether it is settled.

    Raises:
        DatabaseUnavailable: it is due again when its lease ends.
    """
    delay = backoff_seconds(claimed.tries, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
    if not queue.reschedule(claimed, delay, fault):
        return _give_up(claimed, fault)
    log.warning("mail.rescheduled", mail=str(claimed.id), type=claimed.type, fault=fault, tries=claimed.tries)
    return False


@transaction
def _record_delivery(connection: Connection, claimed: ClaimedMessage, provider_id: str | None) -> bool:
    after_commit(log.info, "mail.sent", mail=str(claimed.id), type=claimed.type, tries=claimed.tries)
    queue.settle(connection, claimed, "delivered", provider_id=provider_id, fault=None)
    return True


@transaction
def _give_up(connection: Connection, claimed: ClaimedMessage, fault: str) -> bool:
    after_commit(log.error, "mail.failed", mail=str(claimed.id), type=claimed.type, fault=fault, tries=claimed.tries)
    queue.settle(connection, claimed, "failed", fault=fault)
    return True


@transaction
def _cancel(connection: Connection, claimed: ClaimedMessage) -> bool:
    queue.settle(connection, claimed, "cancelled")
    return True


@dataclass(frozen=True)
class MailLink:
    """A link in a mail. `recipient` is who the mail goes to, where that is not the buyer."""

    path: str
    expires_at: datetime | None = None
    recipient: str | None = None


@query
def _load_context(session: Session, claimed: ClaimedMessage, site_url: str) -> MailContext | None:
    """Return what the mail's templates need; None where the mail is no longer of use."""
    registration = _load_registration(session, claimed)
    link = _link_of(claimed)
    if claimed.type.startswith("buyer_") and registration is None:
        return None
    if claimed.type in LINK_REQUIRED and link is None:
        return None
    snapshot = payload.load(session, claimed.subscription_id) if claimed.subscription_id else None
    return MailContext(
        product=_product_of(snapshot),
        site_url=site_url,
        happened_at=_happened_at(claimed),
        registration=registration,
        subscription=snapshot.subscription if snapshot else None,
        account=snapshot.account if snapshot else None,
        link=f"{site_url}{link.path}" if link else None,
        expires_at=link.expires_at if link else None,
        to=link.recipient if link else None,
        handoff=_load_failed_handoff(session, claimed),
    )


def _product_of(snapshot: SubscriptionSnapshot | None) -> Product | None:
    """Return the product; a purchase that AWS has not resolved can only be of a seller's single product."""
    by_code = products.current()
    if snapshot:
        return by_code.get(snapshot.subscription.product_code)
    return next(iter(by_code.values())) if len(by_code) == 1 else None


def _happened_at(claimed: ClaimedMessage) -> datetime:
    stored = claimed.payload.get("happened_at")
    return datetime.fromisoformat(stored) if stored else claimed.created_at


def _load_registration(session: Session, claimed: ClaimedMessage) -> RegistrationOut | None:
    row = session.execute(SELECT_REGISTRATION, {"registration": claimed.registration_id}).one_or_none()
    return RegistrationOut.model_validate(row) if row else None


def _link_of(claimed: ClaimedMessage) -> MailLink | None:
    match claimed.type:
        case "buyer_registered" | "buyer_access_began" if claimed.registration_id:
            return MailLink(progress.path_for(claimed.registration_id))
        case "buyer_resume" if claimed.registration_id:
            path = resume_links.path_for(claimed.registration_id)
            return MailLink(path, claimed.created_at + resume_links.TTL) if path else None
        case "colleague_invited":
            return _invitation_link(UUID(claimed.payload["invitation"]))
    return None


def _invitation_link(invitation_id: UUID) -> MailLink | None:
    invitation = invitations.find_open(invitation_id)
    if invitation is None or invitation.email is None:
        return None
    return MailLink(invitations.LINK.path_for(invitation.id), invitation.expires_at, invitation.email)


def _load_failed_handoff(session: Session, claimed: ClaimedMessage) -> FailedHandoff | None:
    if "handoff" not in claimed.payload:
        return None
    row = session.execute(SELECT_HANDOFF, {"handoff": UUID(claimed.payload["handoff"])}).one_or_none()
    if row is None:
        return None
    return FailedHandoff(row.id, row.type, row.due_since or row.created_at, row.tries, claimed.payload["fault"])

"""The purchaser's page of invitations: whom they have asked to set up the account in their place."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, flash, get_flashed_messages, redirect, render_template, request, url_for
from sqlalchemy import Row
from werkzeug import Response

from app.errors import DatabaseUnavailable
from app.mail import mailer
from app.observability import logs
from app.services.purchases.purchase import Pending
from app.services.signup import invitations, pending_tokens, registrations, resolve
from app.services.signup.invitations import Refusal
from app.views import browser_session
from app.views.browser_session import Visit
from app.views.invitation_form import ButtonForm, InvitationForm

blueprint = Blueprint("invite", __name__)

REFUSAL_MESSAGES = {
    Refusal.TOO_MANY_OPEN: f"{invitations.MAX_OPEN} invitations are open already. Revoke one of them, then invite "
    "again.",
    Refusal.TOO_MANY_TODAY: f"{invitations.MAX_PER_DAY} invitations were sent within a day. Wait until tomorrow, or "
    "write to us.",
}


@blueprint.get("/invite")
def show() -> Response | str:
    """Ask for a colleague's address, and show who is invited already; once somebody has registered, nobody need be."""
    here, subscription_id = visit_and_subscription()
    if registrations.try_find_by_purchase(here.purchase):
        return redirect(url_for("welcome.welcome"), 303)
    logs.set_outcome("shown" if subscription_id else "waiting")
    return render_page(here, subscription_id, InvitationForm())


@blueprint.post("/invite")
def send() -> Response | tuple[str, int]:
    """Invite the colleague, or say why not."""
    here, subscription_id = visit_and_subscription()
    # Somebody may have registered while the page was open.
    if subscription_id is None or registrations.try_find_by_purchase(here.purchase):
        return redirect(url_for("invite.show"), 303)
    form = InvitationForm()
    if not form.validate_on_submit():
        logs.set_outcome("invalid")
        return render_page(here, subscription_id, form), 422
    outcome = invitations.invite(subscription_id, form.invitee_email(), browser_session.actor())
    if isinstance(outcome, Refusal):
        logs.set_outcome(outcome.value)
        form.email.errors = [REFUSAL_MESSAGES[outcome]]
        return render_page(here, subscription_id, form), 429
    return redirect_with_outcome("sent", outcome.id)


@blueprint.post("/invite/<uuid:invitation_id>/revoke")
def revoke(invitation_id: UUID) -> Response:
    """Take an invitation of this purchase back."""
    _, subscription_id = visit_and_subscription()
    if not ButtonForm().validate_on_submit():
        return redirect_with_outcome("stale", invitation_id)
    revoked = (
        subscription_id
        and not browser_session.is_invited()
        and invitations.revoke(invitation_id, browser_session.actor(), subscription_id)
    )
    return redirect_with_outcome("revoked" if revoked else "over", invitation_id)


def visit_and_subscription() -> tuple[Visit, UUID | None]:
    """Return this browser's purchase and the subscription to invite for; None while AWS has not told which it is.

    Raises:
        NoPurchase, UnknownProduct: as `visit.current`.
        ExpiredToken, InvalidToken, UnknownProduct: AWS will never tell.
        DatabaseUnavailable: nobody can be invited just now.
    """
    here = browser_session.current()
    if isinstance(here.purchase, Pending):
        pending_tokens.raise_if_dead(here.purchase.id)
        return here, None
    found = resolve.follow_merge(here.purchase)
    if isinstance(found, Pending) or found.subscription_id is None:
        raise DatabaseUnavailable("SubscriptionOwed")
    if found != here.purchase:
        browser_session.start(found)
    return replace(here, purchase=found), found.subscription_id


def redirect_with_outcome(outcome: str, invitation_id: UUID) -> Response:
    """Return the way back to the page, which says once what was done."""
    logs.set_outcome(outcome, invitation=str(invitation_id))
    flash(str(invitation_id), outcome)
    return redirect(url_for("invite.show"), 303)


def render_page(visit: Visit, subscription_id: UUID | None, form: InvitationForm) -> str:
    """Return the page, with the links themselves where nobody mails them."""
    [outcome, invitation_id] = next(iter(get_flashed_messages(with_categories=True)), ("", ""))
    told_id = UUID(invitation_id) if invitation_id else None
    return render_template(
        "invite.html",
        form=form,
        visit=visit,
        product=visit.product,
        waits=subscription_id is None,
        open=visible_invitations(subscription_id, told_id if outcome == "sent" else None) if subscription_id else [],
        may_revoke=not browser_session.is_invited(),
        outcome=outcome,
        told_id=told_id,
        good_for_days=invitations.TTL.days,
        is_mailed=mailer.is_enabled(),
        address=invitation_url,
    )


def visible_invitations(subscription_id: UUID, sent_id: UUID | None) -> Sequence[Row[Any]]:
    """Return the open invitations to show: all to the purchaser, to a colleague the one that they have just sent."""
    if not browser_session.is_invited():
        return invitations.list_open(subscription_id)
    # Whom the purchaser asked is not for those to see whom they asked.
    sent = invitations.find_open(sent_id) if sent_id else None
    return [sent] if sent else []


def invitation_url(invitation_id: UUID) -> str:
    """Return the whole URL of the invitation's link."""
    site = current_app.config["SITE_URL"] or request.url_root
    return f"{site.rstrip('/')}{invitations.LINK.path_for(invitation_id)}"

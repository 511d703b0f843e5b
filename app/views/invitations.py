"""The purchaser's page of invitations: whom they have asked to set up the account in their place."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from flask import Blueprint, current_app, flash, get_flashed_messages, redirect, render_template, request, url_for
from werkzeug import Response

from app.errors import DatabaseUnavailable
from app.mail import mailer
from app.models import Invitation
from app.observability import logs
from app.services.purchases.purchase import Parked
from app.services.signup import invitations, pending_tokens, registrations, resolve
from app.services.signup.invitations import Refused
from app.views import browser_session
from app.views.browser_session import Visit
from app.views.invitation_form import InvitationForm, PressForm

blueprint = Blueprint("invite", __name__)

REFUSALS = {
    Refused.TOO_MANY_OPEN: f"{invitations.MOST_OPEN} invitations are open already. Revoke one of them, then invite "
    "again.",
    Refused.TOO_MANY_TODAY: f"{invitations.MOST_A_DAY} invitations were sent within a day. Wait until tomorrow, or "
    "write to us.",
}


@blueprint.get("/invite")
def show() -> Response | str:
    """Ask for a colleague's address, and show who is invited already; once somebody has registered, nobody need be."""
    here, subscription_id = inviting()
    if registrations.known_of(here.purchase):
        return redirect(url_for("welcome.welcome"), 303)
    logs.note("shown" if subscription_id else "waiting")
    return page(here, subscription_id, InvitationForm())


@blueprint.post("/invite")
def send() -> Response | tuple[str, int]:
    """Invite the colleague, or say why not."""
    here, subscription_id = inviting()
    # Somebody may have registered while the page was open.
    if subscription_id is None or registrations.known_of(here.purchase):
        return redirect(url_for("invite.show"), 303)
    form = InvitationForm()
    if not form.validate_on_submit():
        logs.note("invalid")
        return page(here, subscription_id, form), 422
    outcome = invitations.invite(subscription_id, form.address(), browser_session.actor())
    if isinstance(outcome, Refused):
        logs.note(outcome.value)
        form.email.errors = [REFUSALS[outcome]]
        return page(here, subscription_id, form), 429
    return told("sent", outcome.id)


@blueprint.post("/invite/<uuid:invitation_id>/revoke")
def revoke(invitation_id: UUID) -> Response:
    """Take an invitation of this purchase back."""
    _, subscription_id = inviting()
    if not PressForm().validate_on_submit():
        return told("stale", invitation_id)
    revoked = (
        subscription_id
        and not browser_session.is_invited()
        and invitations.revoke(invitation_id, browser_session.actor(), subscription_id)
    )
    return told("revoked" if revoked else "over", invitation_id)


def inviting() -> tuple[Visit, UUID | None]:
    """Return this browser's purchase and the subscription to invite for; None while AWS has not told which it is.

    Raises:
        NoPurchase, UnknownProduct: as `visit.current`.
        ExpiredToken, InvalidToken, UnknownProduct: AWS will never tell.
        DatabaseUnavailable: nobody can be invited just now.
    """
    here = browser_session.current()
    if isinstance(here.purchase, Parked):
        pending_tokens.refuse_dead(here.purchase.id)
        return here, None
    found = resolve.found_again(here.purchase)
    if isinstance(found, Parked) or found.subscription_id is None:
        raise DatabaseUnavailable("SubscriptionOwed")
    if found != here.purchase:
        browser_session.begin(found)
    return replace(here, purchase=found), found.subscription_id


def told(outcome: str, invitation_id: UUID) -> Response:
    """Return the way back to the page, which says once what was done."""
    logs.note(outcome, invitation=str(invitation_id))
    flash(str(invitation_id), outcome)
    return redirect(url_for("invite.show"), 303)


def page(here: Visit, subscription_id: UUID | None, form: InvitationForm) -> str:
    """Return the page, with the links themselves where nobody mails them."""
    [outcome, invitation_id] = next(iter(get_flashed_messages(with_categories=True)), ("", ""))
    told_id = UUID(invitation_id) if invitation_id else None
    return render_template(
        "invite.html",
        form=form,
        visit=here,
        product=here.product,
        waits=subscription_id is None,
        open=listed(subscription_id, told_id if outcome == "sent" else None) if subscription_id else [],
        may_revoke=not browser_session.is_invited(),
        outcome=outcome,
        told_id=told_id,
        good_for_days=invitations.GOOD_FOR.days,
        is_mailed=mailer.is_on(),
        address=address,
    )


def listed(subscription_id: UUID, sent_id: UUID | None) -> Sequence[Invitation]:
    """Return the open invitations to show: all to the purchaser, to a colleague the one that they have just sent."""
    if not browser_session.is_invited():
        return invitations.open_of(subscription_id)
    # Whom the purchaser asked is not for those to see whom they asked.
    sent = invitations.find_open(sent_id) if sent_id else None
    return [sent] if sent else []


def address(invitation_id: UUID) -> str:
    """Return the whole URL of the invitation's link."""
    site = current_app.config["SITE_URL"] or request.url_root
    return f"{site.rstrip('/')}{invitations.link(invitation_id)}"

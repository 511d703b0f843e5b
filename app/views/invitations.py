"""The purchaser's page of invitations: colleagues whom they asked to set up the account."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from flask import (
    Blueprint,
    current_app,
    flash,
    get_flashed_messages,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from sqlalchemy import Row
from werkzeug import Response

from app.config import products
from app.errors import DatabaseUnavailable
from app.languages import speech
from app.languages.speech import lazy_ngettext
from app.observability import logs
from app.services.purchases.purchase import Pending
from app.services.signup import invitations, pending_tokens, registrations, resolve
from app.services.signup.invitations import Refusal
from app.views import browser_session, email_hints
from app.views.browser_session import Visit
from app.views.forms import ButtonForm, InvitationForm

blueprint = Blueprint("invite", __name__)

REFUSAL_MESSAGES = {
    Refusal.TOO_MANY_OPEN: lazy_ngettext(
        "You already have %(count)s open invitation. Revoke one, then invite again.",
        "You already have %(count)s open invitations. Revoke one, then invite again.",
        invitations.MAX_OPEN,
        count=invitations.MAX_OPEN,
    ),
    Refusal.TOO_MANY_TODAY: lazy_ngettext(
        "%(count)s invitation was sent within a day. Wait until tomorrow, or email us.",
        "%(count)s invitations were sent within a day. Wait until tomorrow, or email us.",
        invitations.MAX_PER_DAY,
        count=invitations.MAX_PER_DAY,
    ),
    Refusal.TOO_MANY_TO_ADDRESS: lazy_ngettext(
        "We have sent %(count)s invitation to this address within a day. "
        "Ask your colleague to look in their spam folder, or wait until tomorrow.",
        "We have sent %(count)s invitations to this address within a day. "
        "Ask your colleague to look in their spam folder, or wait until tomorrow.",
        invitations.MAX_MAILS_TO_ADDRESS,
        count=invitations.MAX_MAILS_TO_ADDRESS,
    ),
}


@blueprint.get("/invite")
def show() -> Response | str:
    """Show the form and the invitations. Once the purchase has a registration, only those that can be revoked."""
    visit, subscription_id = visit_and_subscription()
    is_registered = registrations.try_find_by_purchase(visit.purchase) is not None
    has_news = "_flashes" in session
    if is_registered and not has_news and not (subscription_id and revocable_invitations(subscription_id)):
        return redirect(url_for("welcome.welcome"), 303)
    logs.set_outcome("shown" if subscription_id else "waiting")
    return render_page(visit, subscription_id, InvitationForm(), is_registered=is_registered)


@blueprint.post("/invite")
def send() -> Response | tuple[str, int]:
    """Invite the colleague, or show the form again with the reason or, once, with a hint about the address."""
    visit, subscription_id = visit_and_subscription()
    # A colleague may have registered while the page was open.
    if subscription_id is None or registrations.try_find_by_purchase(visit.purchase):
        return redirect(url_for("invite.show"), 303)
    form = InvitationForm()
    is_valid = form.validate_on_submit()
    suggestion = email_hints.suggest_once(form.email)
    if not is_valid or suggestion:
        logs.set_outcome("email_hint" if is_valid else "invalid")
        return render_page(visit, subscription_id, form, suggestion), 200 if is_valid else 422
    outcome = invitations.invite(subscription_id, form.email.data or "", browser_session.actor(), speech.language())
    if isinstance(outcome, Refusal):
        logs.set_outcome(outcome.value)
        form.email.errors = [str(REFUSAL_MESSAGES[outcome])]
        return render_page(visit, subscription_id, form), 429
    return redirect_with_outcome("sent", outcome.id)


@blueprint.post("/invite/<uuid:invitation_id>/revoke")
def revoke(invitation_id: UUID) -> Response:
    """Revoke an invitation of this purchase: only the purchaser can, not an invited colleague."""
    _, subscription_id = visit_and_subscription()
    if not ButtonForm().validate_on_submit():
        return redirect_with_outcome("stale", invitation_id)
    may_revoke = subscription_id and not browser_session.is_invited()
    revoked = may_revoke and invitations.revoke(invitation_id, browser_session.actor(), subscription_id)
    return redirect_with_outcome("revoked" if revoked else "over", invitation_id)


def visit_and_subscription() -> tuple[Visit, UUID | None]:
    """Return this browser's purchase and its subscription's id; None while the token is pending.

    Raises what `browser_session.current` and `raise_if_dead` do, and DatabaseUnavailable while there is no id.
    """
    visit = browser_session.current()
    if isinstance(visit.purchase, Pending):
        pending_tokens.raise_if_dead(visit.purchase.id)
        return visit, None
    purchase = resolve.follow_merge(visit.purchase)
    if isinstance(purchase, Pending) or purchase.subscription_id is None:
        raise DatabaseUnavailable("SubscriptionOwed")
    if purchase != visit.purchase:
        browser_session.start(purchase)
    return replace(visit, purchase=purchase), purchase.subscription_id


def redirect_with_outcome(outcome: str, invitation_id: UUID) -> Response:
    """Redirect to the page, which shows the outcome once (flash)."""
    logs.set_outcome(outcome, invitation=str(invitation_id))
    flash(str(invitation_id), outcome)
    return redirect(url_for("invite.show"), 303)


def render_page(
    visit: Visit,
    subscription_id: UUID | None,
    form: InvitationForm,
    suggestion: str | None = None,
    *,
    is_registered: bool = False,
) -> str:
    """Return the page. Without mail it shows the links, for the purchaser to pass on.

    `suggestion` is the address that the purchaser probably meant.
    """
    [outcome, invitation_id] = next(iter(get_flashed_messages(with_categories=True)), ("", ""))
    changed_id = UUID(invitation_id) if invitation_id else None
    site_url = (current_app.config["SITE_URL"] or request.url_root).rstrip("/")
    return render_template(
        "invite.html",
        form=form,
        suggestion=suggestion,
        visit=visit,
        product=visit.product,
        is_pending=subscription_id is None,
        open_invitations=visible_invitations(subscription_id, changed_id if outcome == "sent" else None),
        accepted_invitations=accepted_invitations(subscription_id),
        is_registered=is_registered,
        may_revoke=not browser_session.is_invited(),
        outcome=outcome,
        changed_id=changed_id,
        ttl_days=invitations.TTL.days,
        is_mailed=products.current().sends_mail,
        url_of=lambda invitation_id: f"{site_url}{invitations.LINK.path_for(invitation_id)}",
    )


def visible_invitations(subscription_id: UUID | None, sent_id: UUID | None) -> Sequence[Row[Any]]:
    """Return all open invitations for the purchaser; for an invited colleague, only the one just sent."""
    if subscription_id is None:
        return []
    if not browser_session.is_invited():
        return invitations.list_open(subscription_id)
    # A colleague must not see whom else the purchaser invited.
    sent = invitations.find_open(sent_id) if sent_id else None
    return [sent] if sent else []


def accepted_invitations(subscription_id: UUID | None) -> Sequence[Row[Any]]:
    """Return the invitations that colleagues accepted, for the purchaser alone."""
    if subscription_id is None or browser_session.is_invited():
        return []
    return invitations.list_accepted(subscription_id)


def revocable_invitations(subscription_id: UUID) -> Sequence[Row[Any]]:
    """Return the open and the accepted invitations, for the purchaser alone."""
    if browser_session.is_invited():
        return []
    return [*invitations.list_open(subscription_id), *invitations.list_accepted(subscription_id)]

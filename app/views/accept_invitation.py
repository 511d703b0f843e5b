"""The page behind an invitation's link: one button lets a colleague register for a purchase."""

from uuid import UUID

from flask import Blueprint, redirect, render_template, url_for
from werkzeug import Response

from app.observability import logs
from app.services.signup import invitations
from app.views import browser_session
from app.views.forms import ButtonForm

blueprint = Blueprint("invitation", __name__)


@blueprint.get("/invitation/<link>")
def show(link: str) -> Response | tuple[str, int]:
    """Show the invitation without using it up: mail scanners open links before people do."""
    invitation_id = invitations.LINK.id_from(link)
    if invitation_id and browser_session.has_accepted(invitation_id):
        return redirect(url_for("signup.show"), 303)
    return render_page(invitation_id, ButtonForm(), "shown", 200)


@blueprint.post("/invitation/<link>")
def accept(link: str) -> Response | tuple[str, int]:
    """Accept the invitation, and let this browser register for the purchase."""
    invitation_id = invitations.LINK.id_from(link)
    if invitation_id and browser_session.has_accepted(invitation_id):
        # A double click sends the form that was signed for the previous session: its CSRF token no longer validates.
        return redirect(url_for("signup.show"), 303)
    form = ButtonForm()
    if not form.validate_on_submit():
        # A browser without our cookie, or another site's form: the CSRF check failed.
        return render_page(invitation_id, form, "invalid", 422)
    purchase = invitations.accept(invitation_id, browser_session.browser_id()) if invitation_id else None
    if purchase is None:
        return render_unusable_link(invitation_id)
    # Nothing of an earlier purchase may survive.
    browser_session.clear()
    browser_session.start(purchase, invitation_id)
    logs.set_outcome("accepted", invitation=str(invitation_id))
    return redirect(url_for("signup.show"), 303)


def render_page(invitation_id: UUID | None, form: ButtonForm, outcome: str, status: int) -> tuple[str, int]:
    """Return the page of the invitation, or that of an unusable link where it cannot be accepted."""
    purchase = invitations.find_offered_purchase(invitation_id) if invitation_id else None
    if purchase is None:
        return render_unusable_link(invitation_id)
    logs.set_outcome(outcome, invitation=str(invitation_id))
    # Creates the id if there is none: acceptance is recorded by browser, so that a double click counts as one.
    browser_session.browser_id()
    customer = purchase.landing.customer
    product = browser_session.product_of_page(customer.product_code)
    return render_template("invitation.html", form=form, customer=customer, product=product), status


def render_unusable_link(invitation_id: UUID | None) -> tuple[str, int]:
    """Return the page of a used, expired or revoked link (410), or of one that we never made (404)."""
    ids = {"invitation": str(invitation_id)} if invitation_id else {}
    logs.set_outcome("over" if invitation_id else "unknown", **ids)
    return render_template("invitation_unusable.html"), 410 if invitation_id else 404

"""The page behind an invitation's link: one button lets a colleague register for a purchase."""

from uuid import UUID

from flask import Blueprint, redirect, render_template, url_for
from werkzeug import Response

from app.config import products
from app.observability import logs
from app.services.purchases.purchase import Resolved
from app.services.signup import invitations
from app.views import browser_session
from app.views.forms import ButtonForm

blueprint = Blueprint("invitation", __name__)


@blueprint.get("/invitation/<link>")
def show(link: str) -> Response | str | tuple[str, int]:
    """Show the invitation without using it up: mail scanners open links before people do."""
    invitation_id = invitations.LINK.id_from(link)
    if invitation_id and browser_session.has_accepted(invitation_id):
        return redirect(url_for("signup.show"), 303)
    purchase = invitations.find_offered_purchase(invitation_id) if invitation_id else None
    if purchase is None:
        return render_unusable_link(invitation_id)
    logs.set_outcome("shown", invitation=str(invitation_id))
    return render_page(purchase, ButtonForm())


@blueprint.post("/invitation/<link>")
def accept(link: str) -> Response | tuple[str, int]:
    """Accept the invitation, and let this browser register for the purchase."""
    invitation_id = invitations.LINK.id_from(link)
    if invitation_id is None:
        return render_unusable_link(None)
    if browser_session.has_accepted(invitation_id):
        # A double click sends the form that was signed for the previous session: its CSRF token no longer validates.
        return redirect(url_for("signup.show"), 303)
    form = ButtonForm()
    if not form.validate_on_submit():
        return reject_stale_form(invitation_id, form)
    purchase = invitations.accept(invitation_id, browser_session.browser_id())
    return start_session(purchase, invitation_id) if purchase else render_unusable_link(invitation_id)


def start_session(purchase: Resolved, invitation_id: UUID) -> Response:
    """Replace this browser's session by one for the purchase, and redirect to the sign-up form."""
    browser_session.clear()
    browser_session.start(purchase, invitation_id)
    logs.set_outcome("accepted", invitation=str(invitation_id))
    return redirect(url_for("signup.show"), 303)


def reject_stale_form(invitation_id: UUID, form: ButtonForm) -> tuple[str, int]:
    """Show the page again to a browser without our cookie, or sent by another site: the CSRF check failed."""
    purchase = invitations.find_offered_purchase(invitation_id)
    if purchase is None:
        return render_unusable_link(invitation_id)
    logs.set_outcome("invalid", invitation=str(invitation_id))
    return render_page(purchase, form), 422


def render_page(purchase: Resolved, form: ButtonForm) -> str:
    """Return the page of an invitation that can be accepted."""
    # Creates the id if there is none: acceptance is recorded by browser, so that a double click counts as one.
    browser_session.browser_id()
    customer = purchase.landing.customer
    product = products.current()[customer.product_code]
    return render_template("invitation.html", form=form, customer=customer, product=product)


def render_unusable_link(invitation_id: UUID | None) -> tuple[str, int]:
    """Return the page of a used, expired or revoked link (410), or of one that we never made (404)."""
    ids = {"invitation": str(invitation_id)} if invitation_id else {}
    logs.set_outcome("over" if invitation_id else "unknown", **ids)
    return render_template("invitation_unusable.html"), 410 if invitation_id else 404

"""The page behind an invitation's link: a colleague takes over the set-up of a purchase, with one press."""

from uuid import UUID

from flask import Blueprint, redirect, render_template, url_for
from werkzeug import Response

from app.config import products
from app.observability import logs
from app.services.purchases.purchase import Resolved
from app.services.signup import invitations
from app.views import browser_session
from app.views.invitation_form import ButtonForm

blueprint = Blueprint("invitation", __name__)


@blueprint.get("/invitation/<link>")
def show(link: str) -> Response | str | tuple[str, int]:
    """Say who asks for what. Nothing is used up: mail scanners open links before people do."""
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
    """Use the invitation up, and let this browser register for the purchase."""
    invitation_id = invitations.LINK.id_from(link)
    if invitation_id is None:
        return render_unusable_link(None)
    if browser_session.has_accepted(invitation_id):
        # A second press brings the form that was signed for the session before.
        return redirect(url_for("signup.show"), 303)
    form = ButtonForm()
    if not form.validate_on_submit():
        return reject_stale_form(invitation_id, form)
    purchase = invitations.accept(invitation_id, browser_session.browser_id())
    return start_session(purchase, invitation_id) if purchase else render_unusable_link(invitation_id)


def start_session(purchase: Resolved, invitation_id: UUID) -> Response:
    """Begin this browser's session anew, as that of the purchase, and send it on to the form."""
    browser_session.clear()
    browser_session.start(purchase, invitation_id)
    logs.set_outcome("accepted", invitation=str(invitation_id))
    return redirect(url_for("signup.show"), 303)


def reject_stale_form(invitation_id: UUID, form: ButtonForm) -> tuple[str, int]:
    """Return the page to a browser that did not bring back what the page gave it, or that another site sent."""
    purchase = invitations.find_offered_purchase(invitation_id)
    if purchase is None:
        return render_unusable_link(invitation_id)
    logs.set_outcome("invalid", invitation=str(invitation_id))
    return render_page(purchase, form), 422


def render_page(purchase: Resolved, form: ButtonForm) -> str:
    """Return the page of an invitation that can be accepted."""
    # Told before the button is pressed, so that a second press is known.
    browser_session.browser_id()
    customer = purchase.landing.customer
    product = products.current()[customer.product_code]
    return render_template("invitation.html", form=form, customer=customer, product=product)


def render_unusable_link(invitation_id: UUID | None) -> tuple[str, int]:
    """Return the page of a link that nobody can use, or can use any more."""
    ids = {"invitation": str(invitation_id)} if invitation_id else {}
    logs.set_outcome("over" if invitation_id else "unknown", **ids)
    return render_template("invitation_over.html"), 410 if invitation_id else 404

"""The page behind an invitation's link: a colleague takes over the set-up of a purchase, with one press."""

from uuid import UUID

from flask import Blueprint, redirect, render_template, url_for
from werkzeug import Response

from app.config import products
from app.observability import logs
from app.services.purchases.purchase import Arrived
from app.services.signup import invitations
from app.views import browser_session
from app.views.invitation_form import PressForm

blueprint = Blueprint("invitation", __name__)


@blueprint.get("/invitation/<link>")
def show(link: str) -> Response | str | tuple[str, int]:
    """Say who asks for what. Nothing is used up: mail scanners open links before people do."""
    invitation_id = invitations.id_of(link)
    if invitation_id and browser_session.came_with(invitation_id):
        return redirect(url_for("signup.show"), 303)
    purchase = invitations.offered(invitation_id) if invitation_id else None
    if purchase is None:
        return over(invitation_id)
    logs.note("shown", invitation=str(invitation_id))
    return page(purchase, PressForm())


@blueprint.post("/invitation/<link>")
def accept(link: str) -> Response | tuple[str, int]:
    """Use the invitation up, and let this browser register for the purchase."""
    invitation_id = invitations.id_of(link)
    if invitation_id is None:
        return over(None)
    if browser_session.came_with(invitation_id):
        # A second press brings the form that was signed for the session before.
        return redirect(url_for("signup.show"), 303)
    form = PressForm()
    if not form.validate_on_submit():
        return stale(invitation_id, form)
    purchase = invitations.accept(invitation_id, browser_session.browser())
    return let_in(purchase, invitation_id) if purchase else over(invitation_id)


def let_in(purchase: Arrived, invitation_id: UUID) -> Response:
    """Begin this browser's session anew, as that of the purchase, and send it on to the form."""
    browser_session.end()
    browser_session.begin(purchase, invitation_id)
    logs.note("accepted", invitation=str(invitation_id))
    return redirect(url_for("signup.show"), 303)


def stale(invitation_id: UUID, form: PressForm) -> tuple[str, int]:
    """Return the page to a browser that did not bring back what the page gave it, or that another site sent."""
    purchase = invitations.offered(invitation_id)
    if purchase is None:
        return over(invitation_id)
    logs.note("invalid", invitation=str(invitation_id))
    return page(purchase, form), 422


def page(purchase: Arrived, form: PressForm) -> str:
    """Return the page of an invitation that can be accepted."""
    # Told before the button is pressed, so that a second press is known.
    browser_session.browser()
    customer = purchase.arrival.customer
    product = products.current()[customer.product_code]
    return render_template("invitation.html", form=form, customer=customer, product=product)


def over(invitation_id: UUID | None) -> tuple[str, int]:
    """Return the page of a link that nobody can use, or can use any more."""
    ids = {"invitation": str(invitation_id)} if invitation_id else {}
    logs.note("over" if invitation_id else "unknown", **ids)
    return render_template("invitation_over.html"), 410 if invitation_id else 404

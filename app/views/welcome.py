"""The page after the sign-up: what was registered, what happens next, and the way into the product."""

from flask import Blueprint, make_response, redirect, render_template, url_for
from werkzeug import Response

from app.models import Registration
from app.services import parking, registrations, subscriptions
from app.services.landings import Arrived
from app.services.parking import Parked
from app.views import visit
from app.views.visit import Visit

blueprint = Blueprint("welcome", __name__)

REFRESH_SECONDS = 5


@blueprint.get("/welcome")
def welcome() -> Response | str:
    """Show a customer who has signed up where they stand."""
    here = visit.current()
    registration = registrations.of_purchase(here.purchase)
    if registration is None:
        return redirect(url_for("signup.show"), 303)
    if isinstance(here.purchase, Parked):
        return unlinked(here, here.purchase, registration)
    return linked(here, here.purchase, registration)


def linked(here: Visit, purchase: Arrived, registration: Registration) -> str:
    """Return the page of a purchase that AWS has told us about."""
    return render_template(
        "welcome.html",
        visit=here,
        product=here.product,
        registration=registration,
        subscription=subscriptions.find(purchase.subscription_id) if purchase.subscription_id else None,
        in_full=visit.has_sent(registration),
    )


def unlinked(here: Visit, purchase: Parked, registration: Registration) -> Response:
    """Return the page of a purchase that AWS has not told us about; it looks again by itself while there is hope."""
    token = parking.find(purchase.id)
    waits = token is not None and token.settled_at is None
    page = render_template(
        "unlinked.html",
        visit=here,
        product=here.product,
        registration=registration,
        in_full=visit.has_sent(registration),
        waits=waits,
        fault=token.fault if token else None,
    )
    return make_response(page, {"Refresh": str(REFRESH_SECONDS)} if waits else {})

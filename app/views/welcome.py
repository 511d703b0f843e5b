"""The page after the sign-up: what was registered, what happens next, and the way into the product."""

from flask import Blueprint, redirect, render_template, url_for
from werkzeug import Response

from app.services import registrations, subscriptions
from app.views import visit

blueprint = Blueprint("welcome", __name__)


@blueprint.get("/welcome")
def welcome() -> Response | str:
    """Show a customer who has signed up where they stand."""
    purchase = visit.current()
    registration = registrations.of_subscription(purchase.subscription_id)
    if registration is None:
        return redirect(url_for("signup.signup"), 303)
    return render_template(
        "welcome.html",
        visit=purchase,
        product=purchase.product,
        registration=registration,
        subscription=subscriptions.find(purchase.subscription_id),
        in_full=visit.has_sent(registration),
    )

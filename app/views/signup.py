"""The sign-up form's page."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug import Response

from app import logs
from app.forms import SignupForm
from app.services import registrations
from app.views import visit

blueprint = Blueprint("signup", __name__)


@blueprint.route("/signup", methods=["GET", "POST"])
def signup() -> Response | str | tuple[str, int]:
    """Ask who the buyer is, and keep the answers."""
    purchase = visit.current()
    form = SignupForm()
    if form.validate_on_submit():
        completed = registrations.complete(purchase.arrival, form.answers())
        visit.remember(completed)
        logs.note("completed", registration=str(completed.registration_id))
        return redirect(url_for("welcome.welcome"), 303)
    if request.method != "POST" and registrations.of_subscription(purchase.subscription_id):
        return redirect(url_for("welcome.welcome"), 303)
    logs.note("invalid" if form.errors else "shown")
    page = render_template("signup.html", form=form, visit=purchase, product=purchase.product)
    return page, 422 if form.errors else 200

"""The sign-up form's page."""

from dataclasses import asdict

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug import Response

from app import logs
from app.forms import SignupForm
from app.services import registrations
from app.views import draft, visit
from app.views.draft import Draft
from app.views.visit import Visit

blueprint = Blueprint("signup", __name__)
draft.init_blueprint(blueprint)


@blueprint.route("/signup", methods=["GET", "POST"])
def signup() -> Response | str | tuple[str, int]:
    """Ask who the buyer is, and keep the answers."""
    here = visit.current()
    if request.method != "POST" and registrations.is_known_of(here.purchase):
        return redirect(url_for("welcome.welcome"), 303)
    told = told_before(here, draft.current())
    form = SignupForm(data=told)
    if form.validate_on_submit():
        return complete(here, form)
    logs.note("invalid" if form.errors else "shown")
    page = render_template("signup.html", form=form, visit=here, product=here.product, told=told)
    return page, 422 if form.errors else 200


def complete(here: Visit, form: SignupForm) -> Response:
    """Keep valid answers, and send the buyer on."""
    completed = registrations.complete(here.purchase, form.answers(), draft.current().unlinked_id)
    visit.remember(completed)
    draft.keep(Draft(unlinked_id=None if completed.subscription_id else completed.registration_id))
    logs.note("completed" if completed.subscription_id else "unlinked", registration=str(completed.registration_id))
    return redirect(url_for("welcome.welcome"), 303)


def told_before(here: Visit, kept: Draft) -> dict[str, str | None]:
    """Return what this browser's buyer has told us: on a form of this purchase, or for one that was never found."""
    if kept.form_secret and visit.has_form(here.purchase, kept.form_secret):
        return dict(kept.typed)
    answers = registrations.unlinked_answers(kept.unlinked_id) if kept.unlinked_id else None
    return asdict(answers) if answers else {}

"""The sign-up form's page."""

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug import Response

from app import logs, receivers
from app.forms import SignupForm
from app.models import Registration
from app.services import documents, parking, progress, registrations, siblings
from app.services.parking import Parked
from app.services.registrations import Completed
from app.views import draft, visit
from app.views.draft import Draft
from app.views.visit import Visit

blueprint = Blueprint("signup", __name__)
draft.init_blueprint(blueprint)

Typed = dict[str, str | None]


@blueprint.get("/signup")
def show() -> Response | str:
    """Ask who the buyer is, unless they have told."""
    here = visit.current()
    registered = registrations.known_of(here.purchase)
    told = told_before(here, registered)
    if registered and not told and not ("change" in request.args and is_open_to_all(here, registered)):
        return redirect(url_for("welcome.welcome"), 303)
    if isinstance(here.purchase, Parked):
        parking.refuse_dead(here.purchase.id)
    logs.note("shown")
    return page(here, form_of(here, registered, told), told=told, registered=registered)


@blueprint.post("/signup")
def send() -> Response | tuple[str, int]:
    """Keep the answers, or say what is wrong with them."""
    here = visit.current()
    registered = registrations.known_of(here.purchase)
    form = form_of(here, registered)
    if not form.validate_on_submit():
        logs.note("invalid")
        return page(here, form), 422
    before = draft.current().unlinked_ids
    over = registered.updated_at if registered and may_replace(here, registered) else None
    completed = registrations.complete(here.purchase, form.answers(), before, visit.actor(), over)
    return sent(completed, before)


def sent(completed: Completed, before: Sequence[UUID]) -> Response:
    """Remember what this browser has sent, and send it on."""
    visit.remember(completed)
    new = [] if completed.subscription_id else [completed.registration_id]
    draft.keep(Draft(unlinked_ids=(*new, *registrations.still_unlinked(before))))
    logs.note("completed" if completed.subscription_id else "unlinked", registration=str(completed.registration_id))
    return redirect(url_for("welcome.welcome"), 303)


def may_replace(here: Visit, registered: Registration) -> bool:
    """Return whether this browser may replace the answers: its own, or those with which nobody got any further."""
    if visit.has_sent(registered):
        return True
    resumes = registrations.to_resume(draft.current().unlinked_ids, registered.updated_at)
    return resumes is not None or is_open_to_all(here, registered)


def is_open_to_all(here: Visit, registered: Registration) -> bool:
    """Return whether the product has made no account, so that whoever bought may give other answers."""
    if here.product is None:
        return False
    stage = progress.of(registered, here.product.code)
    return stage.state in {"refused", "failed"} and not stage.has_account


def form_of(here: Visit, registered: Registration | None, told: Typed | None = None) -> SignupForm:
    """Return the form; where the product takes hand-offs, it asks which account it shall be."""
    form = SignupForm(data=told)
    if here.product is None or receivers.of(here.product.code) is None:
        return form.offer([], asks=False)
    # A colleague was asked to set up this purchase: the customer's others are not theirs to see.
    chosen = documents.joins(registered) if registered else None
    others = [] if visit.is_invited() else siblings.of(here.purchase, chosen)
    return form.offer(others, asks=True)


def page(here: Visit, form: SignupForm, *, told: Typed | None = None, registered: Registration | None = None) -> str:
    """Return the form's page."""
    return render_template(
        "signup.html",
        form=form,
        visit=here,
        product=here.product,
        told=told,
        registered=registered,
        is_invited=visit.is_invited(),
    )


def told_before(here: Visit, registered: Registration | None) -> Typed:
    """Return what is to stand in the form already.

    It is what this browser's buyer sent and wants to change, typed for this purchase, or sent for one that was
    never found, if they have sent nothing since.
    """
    kept = draft.current()
    if registered and "change" in request.args and visit.has_sent(registered):
        return asdict(registrations.answers_of(registered))
    if not registered and kept.form_secret and visit.has_form(here.purchase, kept.form_secret):
        return dict(kept.typed)
    answers = registrations.to_resume(kept.unlinked_ids, registered.updated_at if registered else None)
    return asdict(answers) if answers else {}

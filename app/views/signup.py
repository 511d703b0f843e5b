"""The sign-up form's page."""

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug import Response

from app.config import handoff_endpoints
from app.models import Registration
from app.observability import logs
from app.services.outbox import payload
from app.services.purchases.purchase import Parked
from app.services.signup import other_purchases, pending_tokens, progress, registrations, resume_links
from app.services.signup.registrations import Completed
from app.views import browser_session, draft_cookie
from app.views.browser_session import Visit
from app.views.draft_cookie import Draft
from app.views.forms import SignupForm

blueprint = Blueprint("signup", __name__)
draft_cookie.init_blueprint(blueprint)

Typed = dict[str, str | None]


@blueprint.get("/signup")
def show() -> Response | str:
    """Ask who the buyer is, unless they have told."""
    here = browser_session.current()
    registered = registrations.known_of(here.purchase)
    told = told_before(here, registered)
    if registered and not told and not ("change" in request.args and is_open_to_all(here, registered)):
        return redirect(url_for("welcome.welcome"), 303)
    if isinstance(here.purchase, Parked):
        pending_tokens.refuse_dead(here.purchase.id)
    logs.note("shown")
    return page(here, form_of(here, registered, told), told=told, registered=registered)


@blueprint.post("/signup")
def send() -> Response | tuple[str, int]:
    """Keep the answers, or say what is wrong with them."""
    here = browser_session.current()
    registered = registrations.known_of(here.purchase)
    form = form_of(here, registered)
    if not form.validate_on_submit():
        logs.note("invalid")
        return page(here, form), 422
    before = draft_cookie.current().unlinked_ids
    over = registered.updated_at if registered and may_replace(here, registered) else None
    completed = registrations.complete(here.purchase, form.answers(), before, browser_session.actor(), over)
    return sent(completed, before)


def sent(completed: Completed, before: Sequence[UUID]) -> Response:
    """Remember what this browser has sent, and send it on."""
    browser_session.remember(completed)
    new = [] if completed.subscription_id else [completed.registration_id]
    draft_cookie.keep(Draft(unlinked_ids=(*new, *resume_links.still_unlinked(before))))
    logs.note("completed" if completed.subscription_id else "unlinked", registration=str(completed.registration_id))
    return redirect(url_for("welcome.welcome"), 303)


def may_replace(here: Visit, registered: Registration) -> bool:
    """Return whether this browser may replace the answers: its own, or those with which nobody got any further."""
    if browser_session.has_sent(registered):
        return True
    resumes = resume_links.to_resume(draft_cookie.current().unlinked_ids, registered.updated_at)
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
    if here.product is None or handoff_endpoints.of(here.product.code) is None:
        return form.offer([], asks=False)
    # A colleague was asked to set up this purchase: the customer's others are not theirs to see.
    chosen = payload.joins(registered) if registered else None
    others = [] if browser_session.is_invited() else other_purchases.of(here.purchase, chosen)
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
        is_invited=browser_session.is_invited(),
    )


def told_before(here: Visit, registered: Registration | None) -> Typed:
    """Return what is to stand in the form already.

    It is what this browser's buyer sent and wants to change, typed for this purchase, or sent for one that was
    never found, if they have sent nothing since.
    """
    kept = draft_cookie.current()
    if registered and "change" in request.args and browser_session.has_sent(registered):
        return asdict(registrations.answers_of(registered))
    if not registered and kept.form_secret and browser_session.has_form(here.purchase, kept.form_secret):
        return dict(kept.typed)
    answers = resume_links.to_resume(kept.unlinked_ids, registered.updated_at if registered else None)
    return asdict(answers) if answers else {}

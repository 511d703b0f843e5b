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
from app.services.purchases.purchase import Pending
from app.services.signup import other_purchases, pending_tokens, progress, registrations, resume_links
from app.services.signup.registrations import StoredRegistration
from app.views import browser_session, draft_cookie
from app.views.browser_session import Visit
from app.views.draft_cookie import Draft
from app.views.forms import SignupForm

blueprint = Blueprint("signup", __name__)
draft_cookie.init_blueprint(blueprint)

AnswerFields = dict[str, str | None]


@blueprint.get("/signup")
def show() -> Response | str:
    """Ask who the buyer is, unless they have told."""
    here = browser_session.current()
    registered = registrations.try_find_by_purchase(here.purchase)
    told = initial_answers(here, registered)
    if registered and not told and not ("change" in request.args and may_anyone_replace(here, registered)):
        return redirect(url_for("welcome.welcome"), 303)
    if isinstance(here.purchase, Pending):
        pending_tokens.raise_if_dead(here.purchase.id)
    logs.set_outcome("shown")
    return render_page(here, build_form(here, registered, told), prefilled=told, registration=registered)


@blueprint.post("/signup")
def send() -> Response | tuple[str, int]:
    """Keep the answers, or say what is wrong with them."""
    here = browser_session.current()
    registered = registrations.try_find_by_purchase(here.purchase)
    form = build_form(here, registered)
    if not form.validate_on_submit():
        logs.set_outcome("invalid")
        return render_page(here, form), 422
    before = draft_cookie.current().unlinked_ids
    over = registered.updated_at if registered and may_replace(here, registered) else None
    completed = registrations.complete(here.purchase, form.answers(), before, browser_session.actor(), over)
    return finish_submission(completed, before)


def finish_submission(completed: StoredRegistration, ids_without_purchase: Sequence[UUID]) -> Response:
    """Remember what this browser has sent, and send it on."""
    browser_session.mark_submitted(completed)
    new = [] if completed.subscription_id else [completed.registration_id]
    draft_cookie.save(Draft(unlinked_ids=(*new, *resume_links.still_without_purchase(ids_without_purchase))))
    logs.set_outcome(
        "completed" if completed.subscription_id else "unlinked", registration=str(completed.registration_id)
    )
    return redirect(url_for("welcome.welcome"), 303)


def may_replace(visit: Visit, registration: Registration) -> bool:
    """Return whether this browser may replace the answers: its own, or those with which nobody got any further."""
    if browser_session.submitted_here(registration):
        return True
    resumes = resume_links.answers_to_resume(draft_cookie.current().unlinked_ids, registration.updated_at)
    return resumes is not None or may_anyone_replace(visit, registration)


def may_anyone_replace(visit: Visit, registration: Registration) -> bool:
    """Return whether the product has made no account, so that whoever bought may give other answers."""
    if visit.product is None:
        return False
    stage = progress.account_progress(registration, visit.product.code)
    return stage.state in {"refused", "failed"} and not stage.has_account


def build_form(visit: Visit, registration: Registration | None, prefilled: AnswerFields | None = None) -> SignupForm:
    """Return the form; where the product takes hand-offs, it asks which account it shall be."""
    form = SignupForm(data=prefilled)
    if visit.product is None or handoff_endpoints.for_product(visit.product.code) is None:
        return form.set_account_choices([], asks_account=False)
    # A colleague was asked to set up this purchase: the customer's others are not theirs to see.
    chosen = payload.subscription_to_join(registration) if registration else None
    others = [] if browser_session.is_invited() else other_purchases.find_with_account(visit.purchase, chosen)
    return form.set_account_choices(others, asks_account=True)


def render_page(
    visit: Visit, form: SignupForm, *, prefilled: AnswerFields | None = None, registration: Registration | None = None
) -> str:
    """Return the form's page."""
    return render_template(
        "signup.html",
        form=form,
        visit=visit,
        product=visit.product,
        told=prefilled,
        registered=registration,
        is_invited=browser_session.is_invited(),
    )


def initial_answers(visit: Visit, registration: Registration | None) -> AnswerFields:
    """Return what is to stand in the form already.

    It is what this browser's buyer sent and wants to change, typed for this purchase, or sent for one that was
    never found, if they have sent nothing since.
    """
    kept = draft_cookie.current()
    if registration and "change" in request.args and browser_session.submitted_here(registration):
        return asdict(registrations.answers_of(registration))
    if not registration and kept.form_secret and browser_session.is_form_of(visit.purchase, kept.form_secret):
        return dict(kept.typed)
    answers = resume_links.answers_to_resume(kept.unlinked_ids, registration.updated_at if registration else None)
    return asdict(answers) if answers else {}

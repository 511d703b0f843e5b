"""The sign-up form's page: show it, validate it, store the answers."""

from dataclasses import asdict
from functools import partial
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy import Row
from werkzeug import Response

from app.config import products
from app.config.questions import FIELD_PREFIX
from app.errors import DatabaseUnavailable
from app.languages import speech
from app.observability import logs
from app.services.purchases import account_request
from app.services.purchases.purchase import Pending
from app.services.signup import other_purchases, pending_tokens, progress, registrations, resume_links
from app.services.signup.registrations import Answers, KnownAnswers
from app.views import browser_session, draft_cookie, email_hints, question_fields
from app.views.browser_session import Visit
from app.views.draft_cookie import Draft
from app.views.forms import MAX_NOTES_LENGTH, SignupForm

blueprint = Blueprint("signup", __name__)
draft_cookie.init_blueprint(blueprint)

AnswerFields = dict[str, Any]


@blueprint.get("/signup")
def show() -> Response | str:
    """Show the form, or redirect to the welcome page where the answers are stored already."""
    visit = browser_session.current()
    registration, others = try_find_stored(visit)
    prefilled = initial_answers(visit, registration)
    if registration and not prefilled and not ("change" in request.args and may_anyone_replace(visit, registration)):
        return redirect(url_for("welcome.welcome"), 303)
    if isinstance(visit.purchase, Pending):
        pending_tokens.raise_if_dead(visit.purchase.id)
    logs.set_outcome("shown")
    return render_page(visit, build_form(visit, registration, prefilled, others), prefilled, registration)


@blueprint.post("/signup")
def send() -> Response | tuple[str, int]:
    """Store the answers, or show the form again with what is wrong or, once, with a hint about the address."""
    visit = browser_session.current()
    registration = registrations.try_find_by_purchase(visit.purchase)
    form = build_form(visit, registration)
    is_valid = form.validate_on_submit()
    suggestion = email_hints.suggest_once(form.email, kept=registration.email if registration else None)
    if not is_valid or suggestion:
        logs.set_outcome("email_hint" if is_valid else "invalid")
        own = registration if registration and browser_session.submitted_here(registration) else None
        return render_page(visit, form, registration=own, suggestion=suggestion), 200 if is_valid else 422
    ids = draft_cookie.current().unlinked_ids
    # An optimistic lock: the service refuses to replace any other version of the answers.
    known = known_answers(visit, registration)
    answers = form.answers(own_earlier_answers(registration))
    completed = registrations.complete(visit.purchase, answers, ids, browser_session.actor(), known)
    browser_session.mark_submitted(completed)
    outcome, new = ("completed", []) if completed.subscription_id else ("unlinked", [completed.registration_id])
    earlier = resume_links.still_without_purchase(ids) if ids else []
    draft_cookie.save(Draft(unlinked_ids=(*new, *earlier)))
    logs.set_outcome(outcome, registration=str(completed.registration_id))
    return redirect(url_for("welcome.welcome"), 303)


def try_find_stored(visit: Visit) -> tuple[Row[Any] | None, list[Row[Any]] | None]:
    """Return the purchase's registration; without one, the other purchases that the form offers, if it does.

    Neither is known while the database is down.
    """
    if browser_session.is_invited() or not takes_handoffs(visit):
        return registrations.try_find_by_purchase(visit.purchase), None
    try:
        return other_purchases.find_with_registration(visit.purchase)
    except DatabaseUnavailable:
        return None, None


def takes_handoffs(visit: Visit) -> bool:
    """Return whether the product takes hand-offs: they tell it which account to use."""
    return visit.product is not None and visit.product.code in products.current().handoff_endpoints


def known_answers(visit: Visit, registration: Row[Any] | None) -> KnownAnswers:
    """Return what this browser knows of the answers. What it may not replace it does not know."""
    is_own = registration is not None and browser_session.submitted_here(registration)
    may_replace = registration is not None and (is_own or may_anyone_replace(visit, registration))
    version = registration.updated_at if registration and may_replace else None
    return KnownAnswers(version, is_own, browser_session.browser_id())


def may_anyone_replace(visit: Visit, registration: Row[Any]) -> bool:
    """Return whether any browser may send other answers: the product refused or failed, and made no account.

    The same goes for the later answers of this browser that were left without a purchase.
    """
    registered = progress.find(visit.purchase)
    stage = registered.progress if registered else progress.NOT_REQUESTED
    if stage.has_account:
        return False
    return stage.state in {"refused", "failed"} or answers_without_purchase(registration) is not None


def answers_without_purchase(registration: Row[Any] | None) -> Answers | None:
    """Return the answers of this browser whose token died without a purchase, if later than the registration."""
    ids = draft_cookie.current().unlinked_ids
    return resume_links.answers_to_resume(ids, registration.updated_at if registration else None)


def build_form(
    visit: Visit,
    registration: Row[Any] | None,
    prefilled: AnswerFields | None = None,
    others: list[Row[Any]] | None = None,
) -> SignupForm:
    """Return the form. It asks for the account to use only where the product takes hand-offs.

    `others` are the customer's other purchases, if they have been read already.
    """
    form = question_fields.form_class(visit.product, speech.language().code)(data=prefilled)
    request_ = account_request.of_registration(registration)
    # A form may leave the account out; but not for a buyer who has asked for another than a new one.
    if not takes_handoffs(visit) or ("account" not in form.order and request_.wish == "new"):
        form.offer_new_account_alone()
    # An invited colleague sets up this purchase alone, and must not see the customer's others.
    elif not browser_session.is_invited():
        find_others = partial(other_purchases.find_with_account, visit.purchase, request_.subscription_id)
        form.offer_accounts_of(find_others if others is None else lambda: others)
    return form


def render_page(
    visit: Visit,
    form: SignupForm,
    prefilled: AnswerFields | None = None,
    registration: Row[Any] | None = None,
    suggestion: str | None = None,
) -> str:
    """Return the form's page. `suggestion` is the address that the buyer probably meant."""
    return render_template(
        "signup.html",
        form=form,
        prefilled=prefilled,
        registration=registration,
        suggestion=suggestion,
        max_notes=MAX_NOTES_LENGTH,
        visit=visit,
        product=visit.product,
        is_invited=browser_session.is_invited(),
    )


def initial_answers(visit: Visit, registration: Row[Any] | None) -> AnswerFields:
    """Return the answers to fill the form in with, from the first source that applies.

    1. The draft of this purchase's form, also of one that changes the answers.
    2. The answers that this browser submitted, to change them.
    3. The answers of a registration whose token died without a purchase, unless a later registration is stored.
    """
    draft = draft_cookie.current()
    is_change = registration and "change" in request.args and browser_session.submitted_here(registration)
    is_form = not registration or is_change
    if is_form and draft.form_secret and browser_session.is_form_of(visit.purchase, draft.form_secret):
        return dict(draft_cookie.typed_answers())
    if registration and is_change:
        return fields_of(registrations.answers_of(registration))
    answers = answers_without_purchase(registration)
    if answers is None or (registration and not may_anyone_replace(visit, registration)):
        return {}
    return fields_of(answers)


def fields_of(answers: Answers) -> AnswerFields:
    """Return the answers by the names of the form's fields."""
    fields = asdict(answers)
    return fields | {f"{FIELD_PREFIX}{answer['id']}": answer["value"] for answer in fields.pop("answers")}


def own_earlier_answers(registration: Row[Any] | None) -> Answers | None:
    """Return the answers that this browser sent before, if any."""
    if registration and browser_session.submitted_here(registration):
        return registrations.answers_of(registration)
    return answers_without_purchase(registration) if registration is None else None

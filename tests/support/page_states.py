"""All pages for buyers in all their states, rendered by the application's own views and templates."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import product as all_pairs
from types import SimpleNamespace
from typing import Any

from flask import Flask, g, render_template

from app.aws.get_entitlements import AwsEntitlement
from app.config import products
from app.services.purchases.purchase import Landing, Pending, Resolved, UnverifiedFields
from app.services.signup.invitations import Refusal
from app.views import errors, forms, invitations, resume, welcome
from tests.support.own_pages import own_pages
from tests.support.page_values import CUSTOMER, ENTRY_ID, NOW, OTHER_ID, State, filled, request_in_german, visit

REFUSED = ("not_found", "not_allowed", "already_linked", "confirmation_needed", "other")
SEATS = AwsEntitlement("seats", 1500, NOW + timedelta(days=365))
OLD_SEATS = AwsEntitlement("seats", None, NOW - timedelta(days=1))
ENTITLEMENTS = [SEATS, AwsEntitlement("gold", True, None), AwsEntitlement("tier", False, None), OLD_SEATS]


def error_pages(app: Flask) -> Iterator[State]:
    """Yield each error's page, with and without a form to send again, and what it says of saved answers."""
    pages = {page.page for page in errors.ERROR_PAGES.values()} | {"not_found", "too_large", "bad_request", "our_fault"}
    for name, method in all_pairs(sorted(pages), ("GET", "POST")):
        with request_in_german(app, "/signup", method=method, data={"notes": "x"} if method == "POST" else None):
            retry = {"method": method, "action": "/signup", "fields": [("company", "Juniper")]}
            for unsaved in ([], ["notes"], ["q_why"]):
                saved = {"saved_fields": partial(tuple, ["company"]), "unsaved_fields": partial(list, unsaved)}
                values: dict[str, Any] = {"reference": "0a1b2c", "retry_form": retry, **saved}
                yield f"{name} {method} {unsaved}", render_template(f"errors/{name}.html", **values)
    with request_in_german(app, "/"):
        yield "start", render_template("start.html")
        several: dict[str, Any] = {"single_product": None, "products": [products.current().single] * 2}
        yield "start of several", render_template("start.html", **several)
        yield "not found of several", render_template("errors/expired_token.html", saved_fields=tuple, **several)
    with request_in_german(app, "/enter"):
        yield "redirect", render_template("redirect.html", url="https://app.acme.example/")


def welcome_pages(app: Flask) -> Iterator[State]:
    """Yield the page after the sign-up in each state of the purchase, the account and the contract."""
    days = {"future": NOW + timedelta(days=9), "past": NOW - timedelta(hours=1), "unknown": None}
    for status, state, ends, is_trial, in_full in all_pairs(
        ("pending", "active", "ending", "ended", "failed"), ("ready", "none"), days, (True, False), (True, False)
    ):
        yield _welcome(app, status, {"state": state}, days[ends], is_trial=is_trial, in_full=in_full)
    for state, in_full in all_pairs(("waiting", "failed"), (True, False)):
        yield _welcome(app, "ending", {"state": state}, None, in_full=in_full)
    for refused, in_full, by_link in all_pairs(REFUSED, (True, False), (True, False)):
        yield _welcome(
            app, "active", {"state": "refused", "refused": refused}, None, in_full=in_full, is_by_link=by_link
        )
    coverages: tuple[Any, ...] = (
        ([], None, True),
        ([], NOW, False),
        (ENTITLEMENTS, NOW, False),
        ([OLD_SEATS], NOW, False),
    )
    for (listed, read_at, is_read), status, in_full in all_pairs(coverages, ("active", "ending"), (True, False)):
        is_ending = status == "ending"
        coverage = welcome.Coverage(listed, read_at, is_read, NOW, is_ending)
        stage = {"state": "ready"}
        yield _welcome(app, status, stage, NOW + timedelta(days=9), coverage=coverage, in_full=in_full)


def _welcome(app: Flask, status: str, stage: dict[str, Any], ends_at: datetime | None, **values: Any) -> State:
    subscription = SimpleNamespace(status=status, status_since=NOW, ends_at=ends_at)
    reference = SimpleNamespace(reference="juniper-7f3k", refused=stage.pop("refused", None))
    parts = {"stage": SimpleNamespace(account=reference, has_account=True, **stage), "subscription": subscription}
    defaults = {"now": NOW, "coverage": None, "is_trial": False, "in_full": True, "is_by_link": False}
    values = {**defaults, **parts, **values}
    paths = {0: "/welcome?still", 1: "/welcome"}
    flags = [name for name in ("is_trial", "in_full", "is_by_link") if values[name]]
    name = f"welcome {status} {stage} {reference.refused} {ends_at} {flags}"
    with request_in_german(app, paths[values["in_full"]]):
        g.has_colleagues = True
        page = render_template(
            "welcome.html", **visit(), **values, progress_link="/progress/x", refreshes=ends_at is None
        )
    return f"{name} {values['coverage']}", page


def waiting_pages(app: Flask) -> Iterator[State]:
    """Yield the pages on which a buyer waits for the account or for AWS."""
    for is_ready, is_entering, query in all_pairs((True, False), (True, False), ("", "?still")):
        with request_in_german(app, f"/welcome{query}"):
            values = {"is_ready": is_ready, "is_entering": is_entering, "progress_link": "/progress/x", "in_full": True}
            yield f"setting_up {values} {query}", render_template("setting_up.html", **visit(), **values)
    for is_pending, fault in ((True, None), (False, "UnknownProduct"), (False, "ExpiredToken")):
        with request_in_german(app, "/welcome"):
            values = {"is_pending": is_pending, "fault": fault, "refreshes": True, "in_full": True}
            pending = visit(Pending(id=ENTRY_ID, offer_type=None))
            yield f"pending {is_pending} {fault}", render_template("pending_purchase.html", **pending, **values)


def form_pages(app: Flask) -> Iterator[State]:
    """Yield the forms with their errors and hints."""
    with request_in_german(app, "/signup"):
        form = forms.SignupForm()
        others = [
            SimpleNamespace(id=ENTRY_ID, company=company, reference=reference, created_at=NOW)
            for company, reference in all_pairs(("Juniper", None), ("juniper-7f3k", None))
        ]
        form.offer_accounts_of(lambda: others)  # type: ignore[arg-type,return-value]
        form.validate()
        values = {"form": form, "max_notes": 2000, "prefilled": True, "is_invited": False}
        for registration, is_invited in all_pairs((True, None), (True, False)):
            known = visit() | {"registration": registration} | values | {"is_invited": is_invited}
            yield f"signup {registration} {is_invited}", render_template("signup.html", **known)
        form = filled(forms.SignupForm, email=f"{'a' * 65}@example.com", notes="x" * 2001, company="x" * 201)
        pending = visit(Pending(id=ENTRY_ID, offer_type=None)) | values | {"registration": None, "form": form}
        yield "signup pending", render_template("signup.html", **pending, suggestion="ada@gmail.com")
        unknown = pending | {"product": None, "products": [products.current().single] * 2}
        yield "signup of an unknown product", render_template("signup.html", **unknown)
        old = Resolved(Landing(replace(CUSTOMER, customer_aws_account_id=None), UnverifiedFields(None)), None)
        yield "signup of an old listing", render_template("signup.html", **visit(old) | values)
        form = filled(forms.SignupForm, account="none")
        yield "signup choice", render_template("signup.html", **visit() | values | {"form": form})
        form = filled(forms.SignupForm, email="ada", account="existing")
        yield "signup existing", render_template("signup.html", **visit() | values | {"form": form})
        form = forms.SignupForm(data={"email": "ada@gmial.com"})
        known = visit() | values | {"form": form, "registration": None}
        yield "signup hint", render_template("signup.html", **known, suggestion="ada@gmail.com")
        yield from _resume_pages()
        yield from _invite_pages()
        yield (
            "invitation",
            render_template("invitation.html", **visit(), form=filled(forms.ButtonForm), customer=CUSTOMER),
        )
        unusable = render_template("invitation_unusable.html")
        yield "invitation unusable", unusable


def _resume_pages() -> Iterator[State]:
    for message in (resume.WRONG_ADDRESS, resume.TOO_MANY_WRONG):
        form = _with_error(forms.ResumeForm, message)
        yield f"resume {message}", render_template("resume.html", is_valid=True, form=form)
    empty = forms.ResumeForm()
    empty.email.validate(empty)
    yield "resume empty", render_template("resume.html", is_valid=True, form=empty)
    yield "resume csrf", render_template("resume.html", is_valid=True, form=filled(forms.ResumeForm))
    yield "resumed", render_template("resume.html", is_valid=True, form=None)
    yield "resume over", render_template("resume.html", is_valid=False, form=forms.ResumeForm())


def _invite_pages() -> Iterator[State]:
    invited = SimpleNamespace(id=ENTRY_ID, email="bob@gmail.com", expires_at=NOW, accepted_at=NOW)
    forgotten = SimpleNamespace(id=OTHER_ID, email=None, expires_at=NOW, accepted_at=NOW)
    shared = {"may_revoke": True, "ttl_days": 7, "url_of": lambda _: "https://start.acme.example/invitation/x"}
    lists = {"open_invitations": [invited, forgotten], "accepted_invitations": [invited, forgotten]}
    states = (
        *(("sent", is_mailed, changed) for is_mailed in (True, False) for changed in (ENTRY_ID, OTHER_ID)),
        *((outcome, True, ENTRY_ID) for outcome in ("revoked", "over", "stale")),
    )
    for outcome, is_mailed, changed in states:
        known = {"outcome": outcome, "is_mailed": is_mailed, "changed_id": changed, "is_pending": False}
        for is_registered in (True, False):
            values = visit() | shared | lists | known | {"is_registered": is_registered, "form": forms.InvitationForm()}
            yield f"invite {known} {is_registered}", render_template("invite.html", **values)
    known = visit() | shared | {"open_invitations": [], "accepted_invitations": [], "is_mailed": True}
    for refusal in Refusal:
        form = _with_error(forms.InvitationForm, invitations.REFUSAL_MESSAGES[refusal])
        yield f"invite {refusal}", render_template("invite.html", **known, form=form)
    form = filled(forms.InvitationForm)
    yield "invite empty", render_template("invite.html", **known, form=form)
    form = forms.InvitationForm(data={"email": "bob@gmial.com"})
    yield "invite hint", render_template("invite.html", **known, form=form, suggestion="bob@gmail.com")
    yield "invite pending", render_template("invite.html", **known, form=form, is_pending=True)


def _with_error(kind: Any, message: object) -> Any:
    form = kind(data={"email": "bob@gmail.com"})
    form.email.errors = [str(message)]
    return form


def all_pages(app: Flask) -> dict[str, str]:
    """Return every page by the name of its state."""
    makers = (error_pages, welcome_pages, waiting_pages, form_pages, own_pages)
    with app.app_context():
        return {name: page for maker in makers for name, page in maker(app)}

"""The sign-up form with its errors and hints, the form that restores answers, and the page of an invitation."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product as all_pairs
from types import SimpleNamespace
from typing import Any

from app.config import products
from app.config.products import Product
from app.services.purchases.purchase import Landing, Pending, Resolved, UnverifiedFields
from app.views import forms, resume
from sandbox.gallery import answers
from sandbox.gallery.error_states import several_products
from sandbox.gallery.page_state import PageState, Values, same
from sandbox.gallery.values import CUSTOMER, ENTRY_ID, NOW, filled, form_of, visit

SIGNUP, RESUME, INVITATION = "Sign-up form", "Saved answers", "Invitation"
PENDING = Pending(id=ENTRY_ID, offer_type=None)
OTHER_ACCOUNTS = [
    SimpleNamespace(id=ENTRY_ID, company=company, reference=reference, created_at=NOW)
    for company, reference in all_pairs(("Juniper", None), ("juniper-7f3k", None))
]
LONG_ANSWERS: dict[str, Any] = {"email": f"{'a' * 65}@example.com", "notes": "x" * 2001, "company": "x" * 201}


def signup_states() -> Iterator[PageState]:
    """Yield the sign-up form."""
    yield _signup("empty", lambda product: {"form": form_of(product)(), "prefilled": False, "registration": None})
    yield _signup("filled in", _filled_in)
    yield _signup("nothing filled in", lambda product: {"form": filled(form_of(product)), "registration": None})
    yield _signup("wrong answers to the product’s own questions", _wrong_answers)
    for is_change, is_invited in all_pairs((True, False), (True, False)):
        values = {"is_invited": is_invited} | ({} if is_change else {"registration": None})
        name = f"other accounts known, {'a change' if is_change else 'the first time'}"
        yield _account(f"{name}{', invited' if is_invited else ''}", partial(_with_accounts, values))
    yield _signup("answers too long, purchase pending", _pending)
    yield PageState(SIGNUP, "product unknown", "signup.html", _unknown_product, knows_product=False)
    yield _signup("old listing", _old_listing)
    yield _account("wrong choice of account", lambda product: {"form": filled(form_of(product), account="none")})
    yield _account(
        "existing account not named",
        lambda product: {"form": filled(form_of(product), email="ada", account="existing")},
    )
    yield _signup("hint about the address", _hint)


def _signup(name: str, values: Any) -> PageState:
    return PageState(SIGNUP, name, "signup.html", partial(_asked, values))


def _account(name: str, values: Any) -> PageState:
    return PageState(SIGNUP, name, "signup.html", partial(_form_values, values), needs_handoffs=True)


def _asked(values: Any, product: Product) -> Values:
    shown = _form_values(values, product)
    if product.code not in products.current().handoff_endpoints or "account" not in shown["form"].order:
        shown["form"].offer_new_account_alone()
    return shown


def _form_values(values: Any, product: Product) -> Values:
    defaults = {"max_notes": 2000, "prefilled": True, "is_invited": False}
    return {**visit(product), **defaults, **values(product)}


def _filled_in(product: Product) -> Values:
    form = form_of(product)(answers.right_answers(product))
    return {"form": form, "prefilled": False, "registration": None}


def _wrong_answers(product: Product) -> Values:
    return {"form": filled(form_of(product), formdata=answers.wrong_answers(product)), "registration": None}


def _with_accounts(values: dict[str, Any], product: Product) -> Values:
    form = form_of(product)()
    form.offer_accounts_of(lambda: OTHER_ACCOUNTS)
    form.validate()
    return {"form": form, **values}


def _pending(product: Product) -> Values:
    form = filled(form_of(product), **LONG_ANSWERS)
    return {**visit(product, PENDING), "form": form, "registration": None, "suggestion": "ada@gmail.com"}


def _unknown_product(product: Product) -> Values:
    form = filled(forms.SignupForm, **LONG_ANSWERS)
    unknown = {"product": None, "single_product": None, "products": several_products()}
    return _form_values(lambda product: {**_pending(product), "form": form, **unknown}, product)


def _old_listing(product: Product) -> Values:
    old = Resolved(Landing(replace(CUSTOMER, customer_aws_account_id=None), UnverifiedFields(None)), None)
    return {**visit(product, old), "form": filled(form_of(product), **LONG_ANSWERS)}


def _hint(product: Product) -> Values:
    form = form_of(product)(data={"email": "ada@gmial.com"})
    return {"form": form, "registration": None, "suggestion": "ada@gmail.com"}


def resume_states() -> Iterator[PageState]:
    """Yield the form that asks for the registered address, and what follows it."""
    for name, message in (("wrong address", resume.WRONG_ADDRESS), ("too many wrong", resume.TOO_MANY_WRONG)):
        yield _resume(name, partial(_with_message, message))
    yield _resume("nothing filled in", _empty_address)
    yield _resume("form too old", lambda _: {"is_valid": True, "form": filled(forms.ResumeForm)})
    yield _resume("done", same({"is_valid": True, "form": None}))
    yield _resume("link too old", lambda _: {"is_valid": False, "form": forms.ResumeForm()})


def _resume(name: str, values: Any) -> PageState:
    return PageState(RESUME, name, "resume.html", values, knows_product=False)


def _with_message(message: object, _product: Product) -> Values:
    return {"is_valid": True, "form": with_error(forms.ResumeForm, message)}


def _empty_address(_product: Product) -> Values:
    form = forms.ResumeForm()
    form.email.validate(form)
    return {"is_valid": True, "form": form}


def with_error(kind: Any, message: object) -> Any:
    """Return a form with this error of its address."""
    form = kind(data={"email": "bob@gmail.com"})
    form.email.errors = [str(message)]
    return form


def invitation_states() -> Iterator[PageState]:
    """Yield what an invited colleague sees of the link."""
    yield PageState(INVITATION, "to accept, form too old", "invitation.html", _invitation)
    yield PageState(INVITATION, "unusable", "invitation_unusable.html", knows_product=False)


def _invitation(product: Product) -> Values:
    return {**visit(product), "form": filled(forms.ButtonForm), "customer": CUSTOMER}

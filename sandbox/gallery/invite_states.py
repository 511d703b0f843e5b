"""The page on which the purchaser invites colleagues."""

from collections.abc import Iterator
from functools import partial
from itertools import product as all_pairs
from types import SimpleNamespace
from typing import Any

from app.config.products import Product
from app.services.signup.invitations import Refusal
from app.views import forms, invitations
from sandbox.gallery.form_states import with_error
from sandbox.gallery.page_state import PageState, Values
from sandbox.gallery.values import ENTRY_ID, NOW, OTHER_ID, filled, visit

INVITE = "Invite a colleague"
INVITED = SimpleNamespace(id=ENTRY_ID, email="bob@gmail.com", expires_at=NOW, accepted_at=NOW)
FORGOTTEN = SimpleNamespace(id=OTHER_ID, email=None, expires_at=NOW, accepted_at=NOW)
SHARED: dict[str, Any] = {
    "may_revoke": True,
    "ttl_days": 7,
    "url_of": lambda _: "https://start.acme.example/invitation/x",
}
LISTS = {"open_invitations": [INVITED, FORGOTTEN], "accepted_invitations": [INVITED, FORGOTTEN]}
NO_LISTS = {"open_invitations": [], "accepted_invitations": [], "is_mailed": True}
OUTCOMES = (
    *(("sent", is_mailed, changed) for is_mailed in (True, False) for changed in (ENTRY_ID, OTHER_ID)),
    *((outcome, True, ENTRY_ID) for outcome in ("revoked", "over", "stale")),
)


def invite_states() -> Iterator[PageState]:
    """Yield the page after each outcome, and the form with its errors and hints."""
    for (outcome, is_mailed, changed), is_registered in all_pairs(OUTCOMES, (True, False)):
        known = {"outcome": outcome, "is_mailed": is_mailed, "changed_id": changed, "is_pending": False}
        address = "" if changed == ENTRY_ID else ", address erased"
        name = f"{outcome}{'' if is_mailed else ' without a mail'}{address}"
        values = {**LISTS, **known, "is_registered": is_registered}
        yield _state(f"{name}, {'registered' if is_registered else 'not registered'}", values, forms.InvitationForm)
    for refusal in Refusal:
        message = invitations.REFUSAL_MESSAGES[refusal]
        name = refusal.name.lower().replace("_", " ")
        yield _state(f"refused: {name}", NO_LISTS, partial(with_error, forms.InvitationForm, message))
    empty = partial(filled, forms.InvitationForm)
    yield _state("nothing filled in", NO_LISTS, empty)
    mistyped = partial(forms.InvitationForm, data={"email": "bob@gmial.com"})
    yield _state("hint about the address", {**NO_LISTS, "suggestion": "bob@gmail.com"}, mistyped)
    yield _state("purchase pending", {**NO_LISTS, "is_pending": True}, empty)


def _state(name: str, values: dict[str, Any], make_form: Any) -> PageState:
    return PageState(INVITE, name, "invite.html", partial(_values, values, make_form))


def _values(values: dict[str, Any], make_form: Any, product: Product) -> Values:
    return {**visit(product), **SHARED, **values, "form": make_form()}

"""The draft: answers that are not registered yet, encrypted in a cookie of the buyer's browser.

The form of the same purchase, and no other, is filled in with them when the buyer returns from AWS Marketplace.
Answers that do not fit the cookie are stored on the server, and the cookie has their id and the answers that do fit.
While the database is down, the longest answers are left out.

Of registrations without purchase the cookie has the ids alone: once their tokens are dead, the form of the next
purchase is filled in with their answers, and says so.
"""

import json
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from dataclasses import replace as changed
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, g, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.exceptions import HTTPException

from app.config.questions import FIELD_NAME, MAX_QUESTIONS
from app.security import encryption, headers
from app.services.purchases import drafts
from app.services.signup import resume_links
from app.services.signup.registrations import TYPED_FIELDS

# Ids last as long as a resume link, because the buyer may return by one.
MAX_IDS = 5


@dataclass(frozen=True)
class Draft:
    """The answers typed into the form with `form_secret`, and the ids of registrations without purchase.

    With `stored_id`, all the answers are on the server, and `typed` has those that fit the cookie.
    """

    form_secret: str | None = None
    typed: dict[str, str] = field(default_factory=dict)
    unlinked_ids: tuple[UUID, ...] = ()
    stored_id: UUID | None = None


EMPTY_DRAFT = Draft()


def init_blueprint(blueprint: Blueprint, *, saves_forms: bool = True) -> None:
    """Set the draft's cookie with the blueprint's responses.

    What is submitted to its forms is saved until a view replaces the draft, unless they are other forms than the
    sign-up.
    """
    if saves_forms:
        blueprint.before_request(_mark_submitted_form)
    blueprint.after_request(_set_cookie)


def current() -> Draft:
    """Return the draft that this browser sent; an empty one where it sent none, or none that we encrypted."""
    if "received_draft" not in g:
        g.received_draft = _decrypt(request.cookies.get(_cookie_name(), "").encode())
    draft: Draft = g.received_draft
    return draft


def typed_answers() -> dict[str, str]:
    """Return the answers of the received draft: from the server, or those in the cookie if the server has none."""
    draft = current()
    if draft.stored_id and draft.form_secret:
        return drafts.try_load(draft.stored_id, draft.form_secret) or draft.typed
    return draft.typed


def save(draft: Draft) -> None:
    """Set the draft with the response."""
    g.draft = changed(draft, unlinked_ids=tuple(dict.fromkeys(draft.unlinked_ids))[:MAX_IDS])


def save_in_cookie_only() -> None:
    """Do not store this response's draft on the server: the buyer has waited for the database already."""
    g.is_draft_in_cookie_only = True


def saved_fields() -> tuple[str, ...]:
    """Return which submitted answers are saved, in the cookie of this response or on the server."""
    draft = _new_draft()
    if draft is None:
        return ()
    saved, _ = _fitted_draft(draft)
    return tuple(draft.typed if saved.stored_id else saved.typed)


def unsaved_fields() -> list[str]:
    """Return which submitted answers are not saved."""
    draft, saved = _new_draft(), saved_fields()
    return [name for name in draft.typed if name not in saved] if draft else []


def _mark_submitted_form() -> None:
    is_ours = request.headers.get("Sec-Fetch-Site") in {"same-origin", None}
    g.has_submitted_form = request.method == "POST" and is_ours


def _new_draft() -> Draft | None:
    """Return the draft to set: the one that a view saved, else what was submitted in a form of ours, if anything."""
    # Only now: a registration that is stored leaves no draft, and need not check the form's signature twice.
    if "draft" not in g and g.get("has_submitted_form"):
        _save_submitted_answers()
    draft: Draft | None = g.get("draft")
    return draft


def _save_submitted_answers() -> None:
    """Save the answers of a form that we signed, even where the browser has no session."""
    # A form that was open when its key was listed as leaked is refused, and what was typed into it stays.
    keys = [*current_app.config["SECRET_KEY_LEAKED"], *current_app.config["WTF_CSRF_SECRET_KEY"]]
    signer = URLSafeTimedSerializer(keys, salt="wtf-csrf-token")
    # A body that is refused, as one that is too large, has no form.
    with suppress(BadSignature, HTTPException):
        secret = str(signer.loads(request.form.get("csrf_token", "")))
        save(Draft(secret, _read_submitted_answers(), current().unlinked_ids))


def question_field_names() -> list[str]:
    """Return the names of the submitted fields that answer a product's own questions."""
    return [name for name in request.form if FIELD_NAME.fullmatch(name)][:MAX_QUESTIONS]


def _read_submitted_answers() -> dict[str, str]:
    """Return what the form has, by field; of a question with several answers, each is a line."""
    chosen = {name: "\n".join(request.form.getlist(name)) for name in question_field_names()}
    typed = {name: request.form[name] for name in TYPED_FIELDS if name in request.form}
    return {name: answer for name, answer in (typed | chosen).items() if answer}


def _set_cookie(response: Response) -> Response:
    draft = _new_draft()
    name, is_secure = _cookie_name(), current_app.config["SESSION_COOKIE_SECURE"]
    # Lax, as the session's: browsers must send it on the redirect that follows AWS's cross-site POST.
    attributes: dict[str, Any] = {"secure": is_secure, "httponly": True, "samesite": "Lax"}
    if draft and draft != EMPTY_DRAFT:
        lifetime = resume_links.TTL if draft.unlinked_ids else drafts.TTL
        response.set_cookie(name, _fitted_draft(draft)[1], max_age=lifetime, **attributes)
    elif draft and name in request.cookies:
        response.delete_cookie(name, **attributes)
    replaced_id = current().stored_id if draft and not g.get("is_draft_in_cookie_only") else None
    if draft and replaced_id and replaced_id != _fitted_draft(draft)[0].stored_id:
        drafts.try_delete(replaced_id)
    return response


def _decrypt(ciphertext: bytes) -> Draft:
    if not ciphertext:
        return EMPTY_DRAFT
    cipher = encryption.cipher(encryption.DRAFT)
    if fresh := cipher.decrypt(ciphertext, drafts.TTL):
        return _deserialize(fresh)
    if leaked := cipher.decrypt_leaked(ciphertext, drafts.TTL):
        # Anybody can have made it, with the id of any registration.
        return changed(_deserialize(leaked), unlinked_ids=())
    expired = cipher.decrypt(ciphertext)
    return Draft(unlinked_ids=_deserialize(expired).unlinked_ids) if expired else EMPTY_DRAFT


def _deserialize(plaintext: bytes) -> Draft:
    with suppress(zlib.error, ValueError, RecursionError):
        match json.loads(zlib.decompress(plaintext)):
            case {
                "form_secret": str() | None as form_secret,
                "typed": dict() as typed,
                "unlinked_ids": list() as ids,
                "stored_id": str() | None as stored_id,
            } if all(isinstance(text, str) for text in (*typed.values(), *ids)):
                return Draft(form_secret, typed, tuple(map(UUID, ids)), UUID(stored_id) if stored_id else None)
    return EMPTY_DRAFT


def _fitted_draft(draft: Draft) -> tuple[Draft, str]:
    """Return the draft of this response as the cookie contains it, and the cookie's value; fit it once."""
    if g.get("draft_before_fitting") is not draft:
        g.draft_before_fitting, g.fitted_draft = draft, _fit_to_cookie(draft)
    fitted: tuple[Draft, str] = g.fitted_draft
    return fitted


def _fit_to_cookie(draft: Draft) -> tuple[Draft, str]:
    """Return the draft and its ciphertext: stored on the server, and shortened, if it is too long for a cookie."""
    max_length = headers.free_head_bytes() - headers.COOKIE_ATTRIBUTES_BYTES
    ciphertext = _encrypt(draft)
    if len(ciphertext) > max_length and draft.form_secret and not draft.stored_id:
        draft = changed(draft, stored_id=_store(draft.form_secret, draft.typed))
        ciphertext = _encrypt(draft)
    while len(ciphertext) > max_length and (draft.typed or draft.unlinked_ids):
        draft = _shorten(draft)
        ciphertext = _encrypt(draft)
    return draft, ciphertext


def _shorten(draft: Draft) -> Draft:
    """Leave the longest answer out or, where there is none, the oldest id."""
    if not draft.typed:
        return changed(draft, unlinked_ids=draft.unlinked_ids[:-1])
    longest = max(draft.typed, key=lambda name: len(draft.typed[name].encode()))
    return changed(draft, typed={name: value for name, value in draft.typed.items() if name != longest})


def _store(form_secret: str, typed: dict[str, str]) -> UUID | None:
    if g.get("is_draft_in_cookie_only"):
        return None
    return drafts.try_store(form_secret, typed, current().stored_id)


def _encrypt(draft: Draft) -> str:
    plaintext = json.dumps(vars(draft), default=str, ensure_ascii=False, separators=(",", ":")).encode()
    return encryption.cipher(encryption.DRAFT).encrypt(zlib.compress(plaintext)).decode()


def _cookie_name() -> str:
    return headers.cookie_name("draft", secure=current_app.config["SESSION_COOKIE_SECURE"])

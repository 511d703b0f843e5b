"""The draft: answers that are not stored yet, encrypted in a cookie of the buyer's browser.

The form of the same purchase, and no other, is filled in with them when the buyer returns from AWS Marketplace.
Of registrations without purchase the cookie has the ids alone: once their tokens are dead, the form of the next
purchase is filled in with their answers, and says so.
"""

import zlib
from contextlib import suppress
from dataclasses import dataclass, field, fields
from dataclasses import replace as changed
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, g, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from pydantic import TypeAdapter, ValidationError

from app.security import encryption, headers
from app.services.signup import resume_links
from app.services.signup.registrations import Answers

# Answers last as long as a session; ids as long as a resume link, because the buyer may return by one.
ANSWERS_TTL = timedelta(hours=headers.SESSION_HOURS)
# Browsers drop a cookie of more than 4096 bytes, its name and attributes included.
MAX_COOKIE_LENGTH = 3800
MAX_IDS = 5
ANSWER_FIELDS: tuple[str, ...] = tuple(answer.name for answer in fields(Answers))


@dataclass(frozen=True)
class Draft:
    """The answers typed into the form with `form_secret`, and the ids of registrations without purchase."""

    form_secret: str | None = None
    typed: dict[str, str] = field(default_factory=dict)
    unlinked_ids: tuple[UUID, ...] = ()


DRAFT_ADAPTER = TypeAdapter(Draft)
EMPTY_DRAFT = Draft()


def init_blueprint(blueprint: Blueprint) -> None:
    """Save what is submitted to the blueprint's forms, until a view replaces the draft."""
    blueprint.before_request(_save_submitted_answers)
    blueprint.after_request(_set_cookie)


def current() -> Draft:
    """Return the draft that this browser sent; an empty one where it sent none, or none that we encrypted."""
    if "received_draft" not in g:
        g.received_draft = _decrypt(request.cookies.get(_cookie_name(), "").encode())
    draft: Draft = g.received_draft
    return draft


def save(draft: Draft) -> None:
    """Set the draft with the response, or as much of it as fits a cookie."""
    g.draft = changed(draft, unlinked_ids=tuple(dict.fromkeys(draft.unlinked_ids))[:MAX_IDS])


def saved_fields() -> tuple[str, ...]:
    """Return which submitted answers the cookie of this response contains."""
    return tuple(_fit_to_cookie(g.draft)[0].typed) if "draft" in g else ()


def _save_submitted_answers() -> None:
    """Save the answers of a form that we signed, even where the browser has no session."""
    if request.method != "POST" or request.headers.get("Sec-Fetch-Site") not in {"same-origin", None}:
        return
    signer = URLSafeTimedSerializer(current_app.config["WTF_CSRF_SECRET_KEY"], salt="wtf-csrf-token")
    with suppress(BadSignature):
        secret = str(signer.loads(request.form.get("csrf_token", "")))
        typed = {name: request.form[name] for name in ANSWER_FIELDS if request.form.get(name)}
        save(Draft(secret, typed, current().unlinked_ids))


def _set_cookie(response: Response) -> Response:
    draft = g.get("draft")
    name, is_secure = _cookie_name(), current_app.config["SESSION_COOKIE_SECURE"]
    # Lax, as the session's: browsers must send it on the redirect that follows AWS's cross-site POST.
    attributes: dict[str, Any] = {"secure": is_secure, "httponly": True, "samesite": "Lax"}
    if draft and draft != EMPTY_DRAFT:
        lifetime = resume_links.TTL if draft.unlinked_ids else ANSWERS_TTL
        response.set_cookie(name, _fit_to_cookie(draft)[1], max_age=lifetime, **attributes)
    elif draft and name in request.cookies:
        response.delete_cookie(name, **attributes)
    return response


def _decrypt(ciphertext: bytes) -> Draft:
    if not ciphertext:
        return EMPTY_DRAFT
    if fresh := encryption.cipher(encryption.DRAFT).decrypt(ciphertext, ANSWERS_TTL):
        return _deserialize(fresh)
    expired = encryption.cipher(encryption.DRAFT).decrypt(ciphertext)
    return Draft(unlinked_ids=_deserialize(expired).unlinked_ids) if expired else EMPTY_DRAFT


def _deserialize(plaintext: bytes) -> Draft:
    try:
        return DRAFT_ADAPTER.validate_json(zlib.decompress(plaintext))
    except ValidationError:
        return EMPTY_DRAFT


def _fit_to_cookie(draft: Draft) -> tuple[Draft, str]:
    """Return as much of the draft as fits a cookie, and its ciphertext."""
    ciphertext = encryption.cipher(encryption.DRAFT).encrypt(zlib.compress(DRAFT_ADAPTER.dump_json(draft))).decode()
    if len(ciphertext) <= MAX_COOKIE_LENGTH:
        return draft, ciphertext
    # Long notes in a script that compresses badly do not fit: keep the rest of the form without them.
    without_notes = {name: value for name, value in draft.typed.items() if name != "notes"}
    return _fit_to_cookie(changed(draft, typed=without_notes if "notes" in draft.typed else {}))


def _cookie_name() -> str:
    return headers.cookie_name("draft", secure=current_app.config["SESSION_COOKIE_SECURE"])

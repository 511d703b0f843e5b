"""The draft: what a buyer typed and could not be kept yet, sealed in a cookie of their own browser.

It is there when they come back from AWS Marketplace, on the form of the same purchase and on no other. Of registrations
that are kept without their purchase it holds the ids alone: once their tokens are dead, the form of the next purchase
is filled in with them, and says so.
"""

import zlib
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

# What was typed for as long as a session; the ids until their buyer may have come back.
TYPED_FOR = timedelta(hours=headers.SESSION_HOURS)
UNLINKED_FOR = resume_links.GOOD_FOR
# Browsers drop a cookie of more than 4096 bytes, its name and attributes included.
LONGEST_COOKIE = 3800
MOST_IDS = 5
OUR_OWN_PAGE = {"same-origin", None}
ASKED: tuple[str, ...] = tuple(answer.name for answer in fields(Answers))


@dataclass(frozen=True)
class Draft:
    """What the buyer typed, for which purchase's form; and the ids of registrations that wait for their purchase."""

    form_secret: str | None = None
    typed: dict[str, str] = field(default_factory=dict)
    unlinked_ids: tuple[UUID, ...] = ()


DRAFT = TypeAdapter(Draft)
NOTHING = Draft()


def init_blueprint(blueprint: Blueprint) -> None:
    """Keep what is sent to the blueprint's form, until it is said that it has been kept elsewhere."""
    blueprint.before_request(_keep_typed)
    blueprint.after_request(_write)


def current() -> Draft:
    """Return this browser's draft; an empty one where it has none that we sealed."""
    if "draft_brought" not in g:
        g.draft_brought = _opened(request.cookies.get(_name(), "").encode())
    brought: Draft = g.draft_brought
    return brought


def keep(draft: Draft) -> None:
    """Let this browser hold this draft from now on, or as much of it as fits a cookie."""
    g.draft = changed(draft, unlinked_ids=tuple(dict.fromkeys(draft.unlinked_ids))[:MOST_IDS])


def kept() -> tuple[str, ...]:
    """Return which of the answers sent with this request stay with this browser."""
    return tuple(_fitting(g.draft)[0].typed) if "draft" in g else ()


def _keep_typed() -> None:
    secret = _signed_secret() if request.method == "POST" else None
    if secret and request.headers.get("Sec-Fetch-Site") in OUR_OWN_PAGE:
        typed = {name: request.form[name] for name in ASKED if request.form.get(name)}
        keep(Draft(secret, typed, current().unlinked_ids))


def _signed_secret() -> str | None:
    """Return whose form it is that was sent, even where the session is gone; None if it is none of ours."""
    keys = current_app.config["WTF_CSRF_SECRET_KEY"]
    try:
        secret = URLSafeTimedSerializer(keys, salt="wtf-csrf-token").loads(request.form.get("csrf_token", ""))
    except BadSignature:
        return None
    return str(secret)


def _write(response: Response) -> Response:
    if "draft" not in g:
        return response
    if g.draft == NOTHING:
        if _name() in request.cookies:
            response.delete_cookie(_name(), **_attributes())
        return response
    lifetime = UNLINKED_FOR if g.draft.unlinked_ids else TYPED_FOR
    response.set_cookie(_name(), _fitting(g.draft)[1], max_age=lifetime, **_attributes())
    return response


def _opened(sealed: bytes) -> Draft:
    if fresh := encryption.drafts().open(sealed, TYPED_FOR) if sealed else None:
        return _read(fresh)
    old = encryption.drafts().open(sealed) if sealed else None
    return Draft(unlinked_ids=_read(old).unlinked_ids) if old else NOTHING


def _read(opened: bytes) -> Draft:
    try:
        return DRAFT.validate_json(zlib.decompress(opened))
    except ValidationError:
        return NOTHING


def _fitting(draft: Draft) -> tuple[Draft, str]:
    """Return as much of the draft as fits a cookie, and that sealed."""
    sealed = encryption.drafts().close(zlib.compress(DRAFT.dump_json(draft))).decode()
    if len(sealed) <= LONGEST_COOKIE:
        return draft, sealed
    # Long notes in a script that does not compress: the rest of the form is worth more than nothing.
    without_notes = {name: value for name, value in draft.typed.items() if name != "notes"}
    return _fitting(changed(draft, typed=without_notes if "notes" in draft.typed else {}))


def _name() -> str:
    return headers.cookie_name("draft", secure=current_app.config["SESSION_COOKIE_SECURE"])


def _attributes() -> dict[str, Any]:
    # Lax, as the session's: it has to come along on the redirect out of AWS's cross-site POST.
    return {"secure": current_app.config["SESSION_COOKIE_SECURE"], "httponly": True, "samesite": "Lax"}

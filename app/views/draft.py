"""The draft: what a buyer typed and could not be kept yet, sealed in a cookie of their own browser.

It is there when they come back from AWS Marketplace, on the form of the same purchase and on no other. Of a
registration that is kept without its purchase, it holds the id alone.
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

from app import sealing
from app.services.registrations import Answers

# Of what was typed as long as a session; of an unlinked registration until its buyer may have come back.
TYPED_FOR = timedelta(hours=24)
UNLINKED_FOR = timedelta(days=30)
# Browsers drop a cookie of more than 4096 bytes, its name and attributes included.
LONGEST_COOKIE = 3800
OUR_OWN_PAGE = {"same-origin", None}
ASKED = tuple(answer.name for answer in fields(Answers))


@dataclass(frozen=True)
class Draft:
    """What the buyer typed, for which purchase's form; or the id of a registration that waits for its purchase."""

    form_secret: str | None = None
    typed: dict[str, str] = field(default_factory=dict)
    unlinked_id: UUID | None = None


DRAFT = TypeAdapter(Draft)
NOTHING = Draft()


def init_blueprint(blueprint: Blueprint) -> None:
    """Keep what is sent to the blueprint's form, until it is said that it has been kept elsewhere."""
    blueprint.before_request(_keep_typed)
    blueprint.after_request(_write)


def current() -> Draft:
    """Return this browser's draft; an empty one where it has none that we sealed."""
    sealed = request.cookies.get(_name(), "")
    opened = sealing.drafts().open(sealed.encode()) if sealed else None
    if opened is None:
        return NOTHING
    try:
        return DRAFT.validate_json(zlib.decompress(opened))
    except ValidationError:
        return NOTHING


def keep(draft: Draft) -> None:
    """Let this browser hold this draft from now on."""
    g.draft = draft


def is_kept() -> bool:
    """Return whether what was sent with this request stays with this browser."""
    return bool(g.get("draft", NOTHING).typed)


def _keep_typed() -> None:
    secret = _signed_secret() if request.method == "POST" else None
    if secret and request.headers.get("Sec-Fetch-Site") in OUR_OWN_PAGE:
        typed = {name: request.form[name] for name in ASKED if request.form.get(name)}
        keep(Draft(secret, typed, current().unlinked_id))


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
    lifetime = UNLINKED_FOR if g.draft.unlinked_id else TYPED_FOR
    response.set_cookie(_name(), _sealed(g.draft), max_age=lifetime, **_attributes())
    return response


def _sealed(draft: Draft) -> str:
    sealed = sealing.drafts().close(zlib.compress(DRAFT.dump_json(draft))).decode()
    if len(sealed) <= LONGEST_COOKIE:
        return sealed
    # Long notes in a script that does not compress: the rest of the form is worth more than nothing.
    shorter = {name: value for name, value in draft.typed.items() if name != "notes"}
    return _sealed(changed(draft, typed=shorter if shorter != draft.typed else {}))


def _name() -> str:
    return f"{'__Host-' if current_app.config['SESSION_COOKIE_SECURE'] else ''}draft"


def _attributes() -> dict[str, Any]:
    # Lax, as the session's: it has to come along on the redirect out of AWS's cross-site POST.
    return {"secure": current_app.config["SESSION_COOKIE_SECURE"], "httponly": True, "samesite": "Lax"}

"""The landing: AWS Marketplace POSTs a buyer's registration token here; a GET explains where to start.

It is at `/`, and at each path of LANDING_PATHS.
"""

from collections.abc import Iterable

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from werkzeug import Response

from app.config.settings import SettingsError
from app.errors import MissingToken
from app.observability import logs
from app.services.purchases.purchase import Pending, Resolved, UnverifiedFields
from app.services.signup import resolve
from app.text import strip_unprintable
from app.views import browser_session, rate_limits

blueprint = Blueprint("landing", __name__)

FIELD_PREFIX = "x-amzn-marketplace-"
TOKEN_FIELD = f"{FIELD_PREFIX}token"
OFFER_TYPE_FIELD = f"{FIELD_PREFIX}offer-type"
MAX_HINTS = 10
MAX_HINT_LENGTH = 64


@blueprint.get("/")
def show() -> str:
    """Show a page that sends visitors without a token to AWS Marketplace. AWS also checks that this returns 200."""
    return render_template("start.html")


@blueprint.post("/", endpoint="arrive")
def receive_token() -> Response:
    """Resolve the registration token, start the session, and redirect to the sign-up form."""
    # Nothing of an earlier purchase may survive.
    browser_session.clear()
    token = read_registration_token()
    with rate_limits.check_and_record(token):
        purchase = resolve.resolve_token(token, read_unverified_fields(), rate_limits.may_store_pending)
    browser_session.start(purchase)
    match purchase:
        case Pending():
            if purchase.is_new:
                rate_limits.record_pending()
            logs.set_outcome("parked", parked=str(purchase.id))
        case Resolved(subscription_id=None):
            logs.set_outcome("owed")
        case Resolved():
            logs.set_outcome("resolved", subscription=str(purchase.subscription_id))
    return redirect(url_for("signup.show"), 303)


def add_paths(app: Flask, paths: Iterable[str]) -> None:
    """Let buyers land at these paths, too, with or without a slash at the end.

    Raises:
        SettingsError: a path begins as one of the application's own pages.
    """
    own = {rule.rule.split("/")[1] for rule in app.url_map.iter_rules()}
    if taken := [path for path in paths if path.split("/")[1] in own]:
        beginnings = ", ".join(dict.fromkeys(f"/{path.split('/')[1]}" for path in taken))
        raise SettingsError(f"LANDING_PATHS: it has {', '.join(taken)}, but {beginnings} is Foyer's own.")
    for path in dict.fromkeys(path.rstrip("/") for path in paths):
        # Never redirected to the path with or without the slash: AWS checks that a GET returns 200.
        app.add_url_rule(path, "landing.show", methods=["GET"], strict_slashes=False)
        app.add_url_rule(path, "landing.arrive", methods=["POST"], strict_slashes=False)


def read_registration_token() -> str:
    """Return the registration token as AWS issued it.

    Raises:
        MissingToken: the field is missing or blank.
    """
    token = request.form.get(TOKEN_FIELD, "")
    if not token.strip():
        raise MissingToken
    # A `+` that the sender did not percent-encode arrives as a space; base64 has no spaces.
    return token.replace(" ", "+").strip()


def marketplace_field_names() -> list[str]:
    """Return the names of the submitted fields with AWS Marketplace's prefix."""
    # A part of a multipart body can come without a name.
    return [name for name in request.form if name and name.startswith(FIELD_PREFIX) and name.isprintable()]


def read_unverified_fields() -> UnverifiedFields:
    """Return AWS Marketplace's fields beside the token, cleaned and shortened; empty ones are left out."""
    names = [name for name in marketplace_field_names() if name not in {TOKEN_FIELD, OFFER_TYPE_FIELD}]
    hints = {clean_hint(name.removeprefix(FIELD_PREFIX)): clean_hint(request.form[name]) for name in names[:MAX_HINTS]}
    offer_type = clean_hint(request.form.get(OFFER_TYPE_FIELD, "")) or None
    return UnverifiedFields(offer_type, {name: value for name, value in hints.items() if name and value})


def clean_hint(text: str) -> str:
    """Return the printable ones of the first `MAX_HINT_LENGTH` characters."""
    return strip_unprintable(text[:MAX_HINT_LENGTH])

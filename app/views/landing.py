"""The landing: where AWS Marketplace sends a buyer's browser, and the page for those who come without a purchase."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug import Response

from app.errors import MissingToken
from app.observability import logs
from app.services.purchases.purchase import Arrived, Parked, Purchase, Said
from app.services.signup import resolve
from app.views import browser_session, rate_limits

blueprint = Blueprint("landing", __name__)

PREFIX = "x-amzn-marketplace-"
TOKEN = f"{PREFIX}token"
OFFER_TYPE = f"{PREFIX}offer-type"
MAX_HINTS = 10
MAX_HINT_LENGTH = 64


@blueprint.get("/")
def show() -> str:
    """Tell a visitor without a purchase where to start. AWS also checks that this answers 200."""
    return render_template("start.html")


@blueprint.post("/")
def arrive() -> Response:
    """Resolve the buyer's registration token and send them on to the form."""
    browser_session.end()
    token = registration_token()
    with rate_limits.guarding(token):
        purchase = resolve.land(token, Said(hint(OFFER_TYPE), hints()), rate_limits.may_park)
    browser_session.begin(purchase)
    count(purchase)
    return redirect(url_for("signup.show"), 303)


def count(purchase: Purchase) -> None:
    """Say how the landing came out."""
    match purchase:
        case Parked():
            if purchase.is_new:
                rate_limits.count_parked()
            logs.note("parked", parked=str(purchase.id))
        case Arrived(subscription_id=None):
            logs.note("owed")
        case Arrived():
            logs.note("resolved", subscription=str(purchase.subscription_id))


def registration_token() -> str:
    """Return the registration token as AWS made it.

    Raises:
        MissingToken: the form has none.
    """
    token = request.form.get(TOKEN, "")
    if not token.strip():
        raise MissingToken
    # A `+` that was not percent-encoded on its way arrives as a space; base64 has no spaces of its own.
    return token.replace(" ", "+").strip()


def marketplace_fields() -> list[str]:
    """Return the names of the form's fields that AWS Marketplace may have sent."""
    # A part of a multipart body can come without a name.
    return [name for name in request.form if name and name.startswith(PREFIX) and name.isprintable()]


def hint(name: str) -> str | None:
    """Return one of the form's unsigned fields, shortened to what a hint needs, if it says anything."""
    return printable(request.form.get(name, "")) or None


def hints() -> dict[str, str]:
    """Return the fields AWS Marketplace may send beside the token and the offer type."""
    names = [name for name in marketplace_fields() if name not in {TOKEN, OFFER_TYPE}]
    said = {printable(name.removeprefix(PREFIX)): hint(name) for name in names[:MAX_HINTS]}
    return {name: value for name, value in said.items() if name and value}


def printable(text: str) -> str:
    """Return the text's printable characters, as many as a hint needs."""
    return "".join(filter(str.isprintable, text[:MAX_HINT_LENGTH]))

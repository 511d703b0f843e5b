"""The landing: where AWS Marketplace sends a buyer's browser, and the page for those who come without a purchase."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug import Response

from app import logs, metrics, products
from app.aws import marketplace
from app.errors import MissingToken
from app.services import subscriptions
from app.services.subscriptions import Arrival
from app.views import visit

blueprint = Blueprint("landing", __name__)

PREFIX = "x-amzn-marketplace-"
TOKEN = f"{PREFIX}token"
OFFER_TYPE = f"{PREFIX}offer-type"
MAX_HINTS = 10
MAX_HINT_LENGTH = 64


@blueprint.get("/")
def show() -> str:
    """Tell a visitor without a purchase where to start. AWS also checks that this answers 200."""
    return render_template("start.html", products=products.current().values())


@blueprint.post("/")
def arrive() -> Response:
    """Resolve the buyer's registration token and send them on to the form."""
    visit.end()
    token = registration_token()
    with metrics.resolve_duration.time():
        customer = marketplace.resolve(token)
    products.current()[customer.product_code]
    arrival = Arrival(customer, hint(OFFER_TYPE), hints())
    subscription_id = subscriptions.arrive(arrival)
    visit.begin(arrival, subscription_id)
    logs.note("resolved", subscription=str(subscription_id))
    return redirect(url_for("signup.signup"), 303)


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


def hint(name: str) -> str | None:
    """Return one of the form's unsigned fields, shortened to what a hint needs, if it says anything."""
    value = request.form.get(name, "")[:MAX_HINT_LENGTH]
    return "".join(filter(str.isprintable, value)) or None


def hints() -> dict[str, str]:
    """Return the fields AWS Marketplace may send beside the token and the offer type."""
    names = [name for name in request.form if name.startswith(PREFIX) and name not in {TOKEN, OFFER_TYPE}]
    said = {name.removeprefix(PREFIX)[:MAX_HINT_LENGTH]: hint(name) for name in names[:MAX_HINTS]}
    return {name: value for name, value in said.items() if value}

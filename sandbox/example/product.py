"""The example product as a Flask application: its front page, the panel of troubles, and what guards every page."""

from collections import deque
from collections.abc import Iterable
from pathlib import Path

from flask import Flask, Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from app.config.products import Product
from sandbox.example import entry, receiver, wording
from sandbox.example.tenants import Tenants
from sandbox.example.troubles import Trouble, Troubles

MAX_BODY_BYTES = 1024 * 1024
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    # The way in carries an assertion: no other site is to read it in a Referer.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def create(products: Iterable[Product], secrets: Iterable[str], site_url: str, state: Path | None = None) -> Flask:
    """Return the product that is sold under those listings; Foyer is at the site's URL and signs with the secrets.

    `config["URL"]` has to be set to where the product itself answers.
    """
    app = Flask(__name__)
    app.extensions["products"] = {product.code: product for product in products}
    app.extensions["tenants"] = tenants = Tenants(state)
    app.extensions["trouble"] = Trouble()
    app.extensions["received"] = deque(maxlen=receiver.SHOWN)
    app.extensions["keys"] = {}
    app.config.update(HANDOFF_SECRETS=tuple(secrets), SITE_URL=site_url, MAX_CONTENT_LENGTH=MAX_BODY_BYTES)
    # Cookies know no ports: the storefront on 127.0.0.1 would be sent one called "session", and could replace it.
    app.config.update(
        SECRET_KEY=tenants.state.session_key, SESSION_COOKIE_NAME="example-session", SESSION_COOKIE_SAMESITE="Lax"
    )
    app.register_blueprint(receiver.receiver)
    app.register_blueprint(entry.entry)
    app.add_url_rule("/", "front", front)
    app.add_url_rule("/troubles", "pretend", pretend, methods=["POST"])
    app.register_error_handler(HTTPException, _fault)
    app.after_request(_guard)
    app.context_processor(_known)
    return app


def front() -> str:
    """Show the product's front page: who its customers are, and the panel of troubles."""
    return render_template(
        "front.html", troubles=_trouble().present, switches=Troubles.model_fields, received=receiver.received()
    )


def pretend() -> ResponseReturnValue:
    """Pretend the troubles that the panel names, and no others."""
    try:
        _trouble().present = Troubles.model_validate({name: value for name, value in request.form.items() if value})
    except ValidationError as error:
        faults = "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())
        return render_template("fault.html", message=f"{faults}. Go back and choose another value."), 400
    return redirect(url_for("front", _anchor="troubles"), 303)


def _trouble() -> Trouble:
    trouble: Trouble = current_app.extensions["trouble"]
    return trouble


def _known() -> dict[str, object]:
    products: dict[str, Product] = current_app.extensions["products"]
    signed_in, member = entry.signed_in()
    return {
        "products": products,
        "tenants": entry.tenants(),
        "here": signed_in,
        "me": member,
        "site_url": current_app.config["SITE_URL"],
        "wording": wording,
    }


def _fault(error: HTTPException) -> ResponseReturnValue:
    return render_template("fault.html", message=error.description or error.name), error.code or 500


def _guard(response: Response) -> Response:
    response.headers.update(HEADERS)
    if request.endpoint != "static":
        response.cache_control.no_store = True
    return response

"""The example product as a Flask application: front page, troubles panel, error page and security headers."""

from collections import deque
from collections.abc import Iterable

from flask import Flask, Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from app.config.products import Product
from sandbox.example import buyer_sign_in, labels, receiver, usage
from sandbox.example.tenants import Tenants
from sandbox.example.troubles import CurrentTroubles, Troubles

MAX_BODY_BYTES = 1024 * 1024
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    # The entry URL contains an assertion, which must not reach another site in a Referer header.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def create_app(products: Iterable[Product], secrets: Iterable[str], site_url: str, tenants: Tenants) -> Flask:
    """Return the product of these listings. Foyer answers at `site_url` and signs hand-offs with one of the secrets.

    The caller sets `config["URL"]` to the product's own address, and `extensions["usage_sender"]`.
    """
    app = Flask(__name__)
    app.extensions["products"] = {product.code: product for product in products}
    app.extensions["tenants"] = tenants
    app.extensions["troubles"] = CurrentTroubles()
    app.extensions["received"] = deque(maxlen=receiver.MAX_RECEIVED)
    app.extensions["keys"] = {}
    app.config.update(HANDOFF_SECRETS=tuple(secrets), SITE_URL=site_url, MAX_CONTENT_LENGTH=MAX_BODY_BYTES)
    # Cookies ignore ports, so a cookie called "session" would also go to the storefront, which could replace it.
    app.config.update(
        SECRET_KEY=tenants.state.session_key, SESSION_COOKIE_NAME="example-session", SESSION_COOKIE_SAMESITE="Lax"
    )
    app.register_blueprint(receiver.blueprint)
    app.register_blueprint(buyer_sign_in.blueprint)
    app.register_blueprint(usage.blueprint)
    app.add_url_rule("/", "front", front_page)
    app.add_url_rule("/troubles", "set_troubles", set_troubles, methods=["POST"])
    app.register_error_handler(HTTPException, _render_error)
    app.after_request(_add_security_headers)
    app.context_processor(_template_context)
    return app


def front_page() -> str:
    """Show the customers, the troubles panel and the latest hand-offs."""
    return render_template(
        "front.html",
        troubles=receiver.current_troubles().settings,
        switches=Troubles.model_fields,
        received=receiver.received_handoffs(),
    )


def set_troubles() -> ResponseReturnValue:
    """Switch on the troubles in the form and switch off all others."""
    try:
        receiver.current_troubles().settings = Troubles.model_validate(
            {name: value for name, value in request.form.items() if value}
        )
    except ValidationError as error:
        problems = "; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in error.errors())
        return render_template("error.html", message=f"{problems}. Go back and choose another value."), 400
    return redirect(url_for("front", _anchor="troubles"), 303)


def _template_context() -> dict[str, object]:
    products: dict[str, Product] = current_app.extensions["products"]
    tenant, member = buyer_sign_in.current_session()
    return {
        "products": products,
        "tenants": buyer_sign_in.current_tenants(),
        "session_tenant": tenant,
        "session_member": member,
        "site_url": current_app.config["SITE_URL"],
        "labels": labels,
        "usage": usage,
    }


def _render_error(error: HTTPException) -> ResponseReturnValue:
    return render_template("error.html", message=error.description or error.name), error.code or 500


def _add_security_headers(response: Response) -> Response:
    response.headers.update(SECURITY_HEADERS)
    if request.endpoint != "static":
        response.cache_control.no_store = True
    return response

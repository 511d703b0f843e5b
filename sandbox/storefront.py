"""The storefront: a Flask application with the buyer's pages and a JSON API for the same actions."""

from flask import Flask, Response, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from sandbox import api, clock_api, inbox_pages, labels, pages, usage_pages
from sandbox.actions import ActionNotAllowed, NoEntitlements
from sandbox.deliveries import UnknownEvent
from sandbox.gallery import pages as gallery_pages
from sandbox.gallery.shown_app import ShownApp
from sandbox.inbox import UnknownMail
from sandbox.marketplace import Marketplace, UnknownProduct, UnknownPurchase

NOT_FOUND_MESSAGES: dict[type[Exception], str] = {
    UnknownPurchase: "There is no purchase {}. GET /api/purchases lists them.",
    UnknownEvent: "There is no event {}. GET /api/events lists them.",
    UnknownMail: "There is no mail {}. GET /api/inbox lists them.",
}


def create_app(marketplace: Marketplace, app_url: str) -> Flask:
    """Return the storefront of a marketplace. "Set up your account" posts to the app's URL."""
    app = Flask(__name__)
    app.config["APP_URL"] = app_url
    # Events keep AWS's order of fields.
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's default provider has this attribute
    app.extensions["marketplace"] = marketplace
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(api.blueprint)
    app.register_blueprint(inbox_pages.blueprint)
    app.register_blueprint(clock_api.blueprint)
    app.register_blueprint(usage_pages.blueprint)
    app.extensions["gallery"] = ShownApp()
    app.register_blueprint(gallery_pages.blueprint)
    app.register_error_handler(ValidationError, _invalid_values)
    app.register_error_handler(UnknownProduct, _unknown_product)
    for kind in NOT_FOUND_MESSAGES:
        app.register_error_handler(kind, _not_found)
    app.register_error_handler(NoEntitlements, lambda error: _error_response(str(error), 400))
    app.register_error_handler(ActionNotAllowed, lambda error: _error_response(str(error), 409))
    app.register_error_handler(HTTPException, _http_error)
    app.after_request(_disable_caching)
    app.context_processor(lambda: {"marketplace": marketplace, "labels": labels, "app_url": app.config["APP_URL"]})
    return app


def _invalid_values(error: ValidationError) -> ResponseReturnValue:
    problems = [f"{'.'.join(map(str, problem['loc'])) or 'body'}: {problem['msg']}" for problem in error.errors()]
    return _error_response("; ".join(problems), 400)


def _unknown_product(error: UnknownProduct) -> ResponseReturnValue:
    codes = ", ".join(pages.current_marketplace().products)
    return _error_response(f"product_code: {error} is not sold here. Choose one of: {codes}", 400)


def _not_found(error: Exception) -> ResponseReturnValue:
    return _error_response(NOT_FOUND_MESSAGES[type(error)].format(error), 404)


def _http_error(error: HTTPException) -> ResponseReturnValue:
    return _error_response(error.description or error.name, error.code or 500)


def _error_response(message: str, status: int) -> ResponseReturnValue:
    if request.path.startswith("/api/"):
        return jsonify(error=message), status
    return make_response(render_template("error.html", message=message), status)


def _disable_caching(response: Response) -> Response:
    # A cached page would post an old token.
    if request.endpoint != "static":
        response.cache_control.no_store = True
    return response

"""The storefront: a Flask application with the pages a buyer sees and a JSON API that does the same."""

from flask import Flask, Response, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from sandbox import api, inbox_pages, pages, wording
from sandbox.deliveries import UnknownEvent
from sandbox.inbox import UnknownLetter
from sandbox.lives import NoEntitlements, NotPossible
from sandbox.world import UnknownProduct, UnknownPurchase, World


def create(world: World, app_url: str) -> Flask:
    """Return the storefront of a world, whose "Set up your account" posts to the app's URL."""
    app = Flask(__name__)
    app.config["APP_URL"] = app_url
    # Events are shown as they travel: in AWS's own order of members.
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's own provider has it
    app.extensions["world"] = world
    app.register_blueprint(pages.pages)
    app.register_blueprint(api.api)
    app.register_blueprint(inbox_pages.inbox_pages)
    app.register_error_handler(ValidationError, _odd_values)
    app.register_error_handler(UnknownProduct, _unknown_product)
    app.register_error_handler(UnknownPurchase, _unknown_purchase)
    app.register_error_handler(UnknownEvent, _unknown_event)
    app.register_error_handler(UnknownLetter, _unknown_letter)
    app.register_error_handler(NoEntitlements, lambda error: _fault(str(error), 400))
    app.register_error_handler(NotPossible, lambda error: _fault(str(error), 409))
    app.register_error_handler(HTTPException, _http_fault)
    app.after_request(_never_stored)
    app.context_processor(lambda: {"world": world, "wording": wording, "app_url": app.config["APP_URL"]})
    return app


def _odd_values(error: ValidationError) -> ResponseReturnValue:
    odd = [f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}" for fault in error.errors()]
    return _fault("; ".join(odd), 400)


def _unknown_product(error: UnknownProduct) -> ResponseReturnValue:
    world: World = pages.world()
    return _fault(f"product_code: {error} is not sold here. It is one of: {', '.join(world.products)}", 400)


def _unknown_purchase(error: UnknownPurchase) -> ResponseReturnValue:
    return _fault(f"There is no purchase {error}. GET /api/purchases lists them.", 404)


def _unknown_event(error: UnknownEvent) -> ResponseReturnValue:
    return _fault(f"There is no event {error}. GET /api/events lists them.", 404)


def _unknown_letter(error: UnknownLetter) -> ResponseReturnValue:
    return _fault(f"There is no letter {error}. GET /api/inbox lists them.", 404)


def _http_fault(error: HTTPException) -> ResponseReturnValue:
    return _fault(error.description or error.name, error.code or 500)


def _fault(message: str, status: int) -> ResponseReturnValue:
    if request.path.startswith("/api/"):
        return jsonify(error=message), status
    return make_response(render_template("error.html", message=message), status)


def _never_stored(response: Response) -> Response:
    # A page that came from the browser's cache would post a token that is no longer fresh.
    if request.endpoint != "static":
        response.cache_control.no_store = True
    return response

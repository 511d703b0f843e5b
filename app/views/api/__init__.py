"""The API for the seller's programs: subscriptions, registrations and usage, and its public descriptions."""

import json
from functools import partial
from uuid import UUID

from flask import Blueprint, Response, g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import NotFound, Unauthorized

from app.observability import logs
from app.services.api import feed, tokens
from app.services.api.feed import Filters
from app.services.outbox import payload_part
from app.services.outbox.payload_part import PayloadPart
from app.views.api import problems, queries

PUBLIC_ENDPOINTS = {"api.description", "api.handoff_schema"}
# The others need the scope "read".
SCOPES = {"api.report_usage": tokens.WRITE_USAGE}

blueprint = Blueprint("api", __name__, url_prefix=problems.API_PREFIX)
# A path with extra slashes is not found: Flask would redirect it, with a body in HTML.
get = partial(blueprint.get, merge_slashes=False)


@blueprint.before_request
def authenticate() -> None:
    """Set `g.reader` to what the bearer token may do, or answer 401 or 403; the public endpoints need no token.

    See https://www.rfc-editor.org/rfc/rfc6750
    """
    if request.endpoint in PUBLIC_ENDPOINTS:
        return
    if (authorization := request.headers.get("Authorization")) is None:
        raise _unauthorized()
    scheme, _, token = authorization.partition(" ")
    reader = tokens.authenticate(token.strip()) if scheme.lower() == "bearer" else None
    if reader is None:
        raise _unauthorized(error="invalid_token", error_description="The token is unknown or has been revoked.")
    g.reader = reader
    scope = SCOPES.get(request.endpoint or "", tokens.READ)
    logs.set_outcome(scope, api_token=str(reader.token_id))
    if scope not in reader.scopes:
        raise problems.MissingScope(scope)


@get("/subscriptions")
def subscriptions() -> Response:
    """Return a page of subscriptions in the order in which they last changed."""
    return _page(queries.Subscriptions)


@get("/subscriptions/<uuid:subscription_id>")
def subscription(subscription_id: UUID) -> Response:
    """Return one subscription, by its id or by the id of one that was merged into it."""
    queries.parse(queries.Query)
    return _json_or_404(feed.find_subscription(Filters(g.reader.product_codes), subscription_id))


@get("/registrations")
def registrations() -> Response:
    """Return a page of the subscriptions with a registration, in the order in which they last changed."""
    return _page(queries.Registrations, registered=True)


@get("/registrations/<uuid:registration_id>")
def registration(registration_id: UUID) -> Response:
    """Return the subscription that has this registration."""
    queries.parse(queries.Query)
    return _json_or_404(feed.find_by_registration(Filters(g.reader.product_codes), registration_id))


@blueprint.post("/usage", merge_slashes=False)
def report_usage() -> Response:
    """Store items of usage, and return a verdict on each."""
    # Imported on use: many products report none, and the rules of metering take a thirtieth of a server's start.
    from app.views.api import usage  # noqa: PLC0415

    return usage.report()


@get("/usage")
def usage_hours() -> Response:
    """Return a page of hours of usage, newest first."""
    from app.views.api import usage  # noqa: PLC0415

    return _json_or_404(usage.list_hours())


@get("/usage/items")
def usage_items() -> Response:
    """Return the items of usage with the id that the product gave them."""
    from app.views.api import usage  # noqa: PLC0415

    return _json_or_404(usage.find_items())


@get("/openapi.json")
def description() -> Response:
    """Return the API's description in OpenAPI 3.1; no token needed."""
    # Imported on use: loading apispec is slow, and most processes never serve this.
    from app.views.api import openapi  # noqa: PLC0415

    queries.parse(queries.Query)
    return Response(openapi.build_description(), mimetype="application/json")


@get("/schemas/handoff.json")
def handoff_schema() -> Response:
    """Return the JSON Schema of hand-offs, for products that validate them or generate types; no token needed."""
    from app.views.api import openapi  # noqa: PLC0415

    queries.parse(queries.Query)
    return Response(openapi.build_handoff_schema(), mimetype="application/schema+json")


def _unauthorized(**details: str | None) -> Unauthorized:
    # RFC 6750, section 3.1: a request without credentials gets no error code.
    return Unauthorized(www_authenticate=WWWAuthenticate("bearer", {"realm": "Foyer", **details}))


def _page(query: type[queries.Registrations], *, registered: bool = False) -> Response:
    parameters = queries.parse(query)
    request_filters = {name: value for name, value in vars(parameters).items() if name not in {"cursor", "limit"}}
    filters = Filters(g.reader.product_codes, registered=registered, **request_filters)
    return _json_or_404(feed.page(filters, parameters.after, parameters.limit))


def _json_or_404(document: PayloadPart | None) -> Response:
    if document is None:
        raise NotFound
    body = json.dumps(payload_part.as_json(document), ensure_ascii=False, separators=(",", ":"))
    return Response(body, mimetype="application/json")

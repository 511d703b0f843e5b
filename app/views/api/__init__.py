"""The read API: subscriptions and registrations for the seller's programs, and its public descriptions."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, Flask, Response, g
from werkzeug.exceptions import NotFound

from app.services.api import feed
from app.services.api.feed import Filters
from app.services.outbox.payload import PayloadModel
from app.views.api import bearer, problems, queries

blueprint = Blueprint("api", __name__, url_prefix=problems.API_PREFIX)
bearer.require_token(blueprint, public_endpoints={"api.description", "api.handoff_schema"})


def init_app(app: Flask) -> None:
    """Register the API on the application."""
    app.register_blueprint(blueprint)
    app.before_request(problems.reject_redirects)


@blueprint.get("/subscriptions")
def subscriptions() -> Response:
    """Return a page of subscriptions in the order in which they last changed."""
    parameters = queries.parse(queries.Subscriptions)
    filters = parameters.model_dump(include={"status", "product_code", "customer_aws_account_id"})
    return _json_or_404(feed.page(_filters(**filters), parameters.after, parameters.limit, datetime.now(UTC)))


@blueprint.get("/subscriptions/<uuid:subscription_id>")
def subscription(subscription_id: UUID) -> Response:
    """Return one subscription, by its id or by the id of one that was merged into it."""
    queries.parse(queries.NoParameters)
    return _json_or_404(feed.find_subscription(_filters(), subscription_id))


@blueprint.get("/registrations")
def registrations() -> Response:
    """Return a page of the subscriptions with a registration, in the order in which they last changed."""
    parameters = queries.parse(queries.Registrations)
    filters = parameters.model_dump(include={"product_code", "customer_aws_account_id"})
    return _json_or_404(
        feed.page(_filters(registered=True, **filters), parameters.after, parameters.limit, datetime.now(UTC))
    )


@blueprint.get("/registrations/<uuid:registration_id>")
def registration(registration_id: UUID) -> Response:
    """Return the subscription that has this registration."""
    queries.parse(queries.NoParameters)
    return _json_or_404(feed.find_by_registration(_filters(), registration_id))


@blueprint.get("/openapi.json")
def description() -> Response:
    """Return the API's description in OpenAPI 3.1; no token needed."""
    # Imported on use: loading apispec is slow, and most processes never serve this.
    from app.views.api import openapi  # noqa: PLC0415

    queries.parse(queries.NoParameters)
    return Response(openapi.build_description(), mimetype="application/json")


@blueprint.get("/schemas/handoff.json")
def handoff_schema() -> Response:
    """Return the JSON Schema of hand-offs, for products that validate them or generate types; no token needed."""
    from app.views.api import openapi  # noqa: PLC0415

    queries.parse(queries.NoParameters)
    return Response(openapi.build_handoff_schema(), mimetype="application/schema+json")


def _filters(**filters: Any) -> Filters:
    return Filters(product_codes=g.reader.product_codes, **filters)


def _json_or_404(document: PayloadModel | None) -> Response:
    if document is None:
        raise NotFound
    return Response(document.model_dump_json(), mimetype="application/json")

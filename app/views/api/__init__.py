"""The read API: what the seller's own programs ask, with a token, and what machines learn of it without one."""

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
    """Put the API on the application."""
    app.register_blueprint(blueprint)
    app.before_request(problems.reject_redirects)


@blueprint.get("/subscriptions")
def subscriptions() -> Response:
    """List subscriptions in the order in which they last changed."""
    asked = queries.parse(queries.Subscriptions)
    filters = asked.model_dump(include={"status", "product_code", "customer_aws_account_id"})
    return _json_or_404(feed.page(_filters(**filters), asked.after, asked.limit, datetime.now(UTC)))


@blueprint.get("/subscriptions/<uuid:subscription_id>")
def subscription(subscription_id: UUID) -> Response:
    """Answer one subscription, by its id or one that it had before."""
    queries.parse(queries.NoParameters)
    return _json_or_404(feed.find_subscription(_filters(), subscription_id))


@blueprint.get("/registrations")
def registrations() -> Response:
    """List the subscriptions that somebody has signed up for, in the order in which they last changed."""
    asked = queries.parse(queries.Registrations)
    filters = asked.model_dump(include={"product_code", "customer_aws_account_id"})
    return _json_or_404(feed.page(_filters(registered=True, **filters), asked.after, asked.limit, datetime.now(UTC)))


@blueprint.get("/registrations/<uuid:registration_id>")
def registration(registration_id: UUID) -> Response:
    """Answer the subscription that somebody signed up for with this registration."""
    queries.parse(queries.NoParameters)
    return _json_or_404(feed.find_by_registration(_filters(), registration_id))


@blueprint.get("/openapi.json")
def description() -> Response:
    """Describe the API to machines."""
    # Slow to make, and most processes are never asked.
    from app.views.api import openapi  # noqa: PLC0415

    queries.parse(queries.NoParameters)
    return Response(openapi.build_description(), mimetype="application/json")


@blueprint.get("/schemas/handoff.json")
def handoff_schema() -> Response:
    """Describe what hand-offs carry, so that a product can check them or make its own types."""
    from app.views.api import openapi  # noqa: PLC0415

    queries.parse(queries.NoParameters)
    return Response(openapi.build_handoff_schema(), mimetype="application/schema+json")


def _filters(**filters: Any) -> Filters:
    return Filters(product_codes=g.reader.product_codes, **filters)


def _json_or_404(document: PayloadModel | None) -> Response:
    if document is None:
        raise NotFound
    return Response(document.model_dump_json(), mimetype="application/json")

"""What machines ask: is the process alive, can it serve, and what has it counted."""

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.observability import metrics
from app.services.operations import readiness
from app.services.reports import gauges

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Say that the process is alive, without asking anything of the database or AWS."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
def readyz() -> Response:
    """Say whether the database can be reached and is migrated: 200, or 503 with what to do."""
    obstacle = readiness.find_problem()
    return Response(f"{obstacle or 'ready'}\n", status=503 if obstacle else 200, mimetype="text/plain")


@blueprint.get("/metrics", endpoint="metrics")
def exposition() -> Response:
    """Show the metrics to Prometheus."""
    return Response(metrics.render(gauges.current()), content_type=CONTENT_TYPE_LATEST)

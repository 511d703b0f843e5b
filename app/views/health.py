"""The probes and the metrics: /healthz, /readyz and /metrics."""

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.observability import metrics
from app.services.operations import readiness

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Return 200 while the process is alive, without a query to the database or AWS."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
def readyz() -> Response:
    """Return 200 if the database is migrated and takes a write, else 503 with what to do."""
    problem = readiness.find_problem()
    # The database's own words are for the operator: this page may be public.
    status, answer = (503, problem.advice) if problem else (200, "ready")
    return Response(f"{answer}\n", status=status, mimetype="text/plain")


@blueprint.get("/metrics", endpoint="metrics")
def exposition() -> Response:
    """Return the metrics in the Prometheus text format."""
    from app.services.reports import gauges  # noqa: PLC0415  # the one report that a web process makes
    from app.services.usage_reports import backlog  # noqa: PLC0415  # a web process does not bill

    rendered = metrics.render(gauges.current(), backlog.measure_by_label())
    return Response(rendered, content_type=CONTENT_TYPE_LATEST)

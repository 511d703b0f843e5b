"""What Prometheus reads: requests by route, landings and sign-ups by outcome, and how long AWS took."""

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

METHODS = {"GET", "HEAD", "POST", "OPTIONS"}
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

request_duration = Histogram(
    "foyer_http_request_duration_seconds",
    "Time to answer a request, in seconds.",
    ["route", "method", "status"],
    buckets=BUCKETS,
)
resolve_duration = Histogram(
    "foyer_resolve_customer_duration_seconds",
    "Time for AWS to resolve a registration token, retries included, in seconds.",
    buckets=BUCKETS,
)
landings = Counter("foyer_landings", "Registration tokens posted, by outcome.", ["outcome"])
signups = Counter("foyer_signups", "Sign-up forms sent, by outcome.", ["outcome"])
BY_ROUTE = {"/": landings, "/signup": signups}


def count(route: str, method: str, status: int, outcome: str | None, seconds: float) -> None:
    """Count one answered request, and its outcome where a buyer sent something."""
    method = method if method in METHODS else "other"
    request_duration.labels(route, method, str(status)).observe(seconds)
    if method == "POST" and outcome and route in BY_ROUTE:
        BY_ROUTE[route].labels(outcome).inc()


def exposition() -> bytes:
    """Return all metrics in Prometheus's text format, of every gunicorn worker where there are several."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)

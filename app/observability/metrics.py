"""What Prometheus reads: requests by route, landings and sign-ups by outcome, how long AWS took, and what waits."""

import os
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

HTTP_METHODS = {"GET", "HEAD", "POST", "OPTIONS"}
DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

request_duration = Histogram(
    "foyer_http_request_duration_seconds",
    "Time to answer a request, in seconds.",
    ["route", "method", "status"],
    buckets=DURATION_BUCKETS,
)
resolve_duration = Histogram(
    "foyer_resolve_customer_duration_seconds",
    "Time for AWS to resolve a registration token, retries included, in seconds.",
    buckets=DURATION_BUCKETS,
)
landings = Counter("foyer_landings", "Registration tokens posted, by outcome.", ["outcome"])
signups = Counter("foyer_signups", "Sign-up forms sent, by outcome.", ["outcome"])
# Read from the database when they are asked for: they are the same whichever process answers.
GAUGE_DESCRIPTIONS = {
    "foyer_database_up": "1 while the database answers, 0 while it does not.",
    "foyer_parked_tokens": "Registration tokens that wait for AWS.",
    "foyer_parked_tokens_oldest_seconds": "Age of the oldest of them, in seconds; AWS forgets a token after hours.",
    "foyer_unlinked_registrations": "Registrations that wait for their purchase.",
    "foyer_events_ambiguous": "Events that may be about several subscriptions: a person has to decide.",
    "foyer_reviews_due": "Subscriptions whose entitlements, or waiting events, a worker should have seen to.",
    "foyer_handoffs_waiting": "Hand-offs that products have not taken yet.",
    "foyer_handoffs_oldest_seconds": "Age of the oldest of them, in seconds.",
    "foyer_handoffs_failed": "Hand-offs that were given up: handoffs retry sends them again.",
    "foyer_mails_waiting": "Mails that have not gone out yet.",
    "foyer_mails_failed": "Mails that could not be sent at all.",
    "foyer_worker_heartbeat_age_seconds": "Since when no worker has given a sign of life, in seconds.",
    "foyer_events_heartbeat_age_seconds": "Since when no worker has looked for events, in seconds.",
}
COUNTERS_BY_ROUTE = {"/": landings, "/signup": signups}


def initialise(outcomes: Iterable[str]) -> None:
    """Start to count these outcomes at 0: an alarm on an increase does not see a count that begins with 1."""
    for outcome in outcomes:
        for counter in COUNTERS_BY_ROUTE.values():
            counter.labels(outcome)


def count_request(route: str, method: str, status: int, outcome: str | None, seconds: float) -> None:
    """Count one answered request, and its outcome where a buyer sent something."""
    method = method if method in HTTP_METHODS else "other"
    request_duration.labels(route, method, str(status)).observe(seconds)
    if method == "POST" and outcome and route in COUNTERS_BY_ROUTE:
        COUNTERS_BY_ROUTE[route].labels(outcome).inc()


def render(gauges: Mapping[str, float]) -> bytes:
    """Return all metrics in Prometheus's text format: what every gunicorn worker counted, and the gauges given."""
    measured = CollectorRegistry()
    measured.register(GaugeCollector(gauges))
    return _render_counters() + generate_latest(measured)


class GaugeCollector(Collector):
    """Gauges whose values are at hand; prometheus_client's own would count them once for each process."""

    def __init__(self, values: Mapping[str, float]) -> None:
        self._values = values

    def collect(self) -> Iterator[Metric]:
        """Yield each gauge."""
        for name, value in self._values.items():
            yield GaugeMetricFamily(name, GAUGE_DESCRIPTIONS[name], value)


def _render_counters() -> bytes:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)

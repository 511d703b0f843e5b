"""Metrics for Prometheus: requests by route, landings, sign-ups and usage by outcome, AWS's response time, backlogs."""

import os
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

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
usage_items = Counter("foyer_usage_items", "Items of usage that products sent, by verdict.", ["verdict"])
# Read from the database on each scrape, so every process reports the same values.
GAUGE_DESCRIPTIONS = {
    "foyer_database_up": "1 while the database is migrated and takes a write, 0 otherwise.",
    "foyer_parked_tokens": "Registration tokens that AWS could not resolve yet.",
    "foyer_parked_tokens_oldest_seconds": "Age of the oldest of these tokens, in seconds. A token expires after hours.",
    "foyer_unlinked_registrations": "Registrations without a purchase yet.",
    "foyer_events_ambiguous": "Events that may be about several subscriptions: an operator has to decide.",
    "foyer_reviews_due": "Subscriptions that are due for a review of their entitlements or waiting events.",
    "foyer_handoffs_waiting": "Hand-offs that products have not accepted yet.",
    "foyer_handoffs_oldest_seconds": "Age of the oldest of these hand-offs, in seconds.",
    "foyer_handoffs_failed": "Hand-offs that were given up. The command `foyer handoffs retry` sends them again.",
    "foyer_mails_waiting": "Mails that have not been sent yet.",
    "foyer_mails_failed": "Mails that were refused for good.",
    "foyer_usage_oldest_unsent_seconds": "Age of the oldest hour of usage that is not billed, from its start, in "
    "seconds. AWS takes it for a day.",
    "foyer_usage_held_items": "Items of usage that are in no hour, because they came too late.",
    "foyer_worker_heartbeat_age_seconds": "Seconds since the last heartbeat of any worker.",
    "foyer_events_heartbeat_age_seconds": "Seconds since any worker last polled the events' queue.",
}
LABELLED_DESCRIPTIONS = {
    "foyer_usage_records": "Hours of usage that are not billed, by state. Those that were written off do not count.",
    "foyer_usage_calls_last_hour": "Calls to BatchMeterUsage within the last hour, by outcome.",
}
COUNTERS_BY_ENDPOINT = {"landing.arrive": landings, "signup.send": signups}
USAGE_VERDICTS = ("accepted", "conflict", "refused")
# By metric: the name of its label, and the values by what the label says.
LabelledGauges = Mapping[str, tuple[str, Mapping[str, float]]]


def initialise(outcomes: Iterable[str]) -> None:
    """Create the counters of these outcomes at 0: an alarm on an increase misses a counter that begins at 1."""
    for outcome in outcomes:
        for counter in COUNTERS_BY_ENDPOINT.values():
            counter.labels(outcome)
    landings.labels("owed")
    for verdict in USAGE_VERDICTS:
        usage_items.labels(verdict)


def count_usage_items(counts: Mapping[str, int]) -> None:
    """Count items of usage by verdict."""
    for verdict, number in counts.items():
        usage_items.labels(verdict).inc(number)


def render(gauges: Mapping[str, float], labelled: LabelledGauges) -> bytes:
    """Return all metrics in Prometheus's text format: the counters of all gunicorn workers, and the gauges."""
    registry = CollectorRegistry()
    registry.register(GaugeCollector(gauges, labelled))
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest() + generate_latest(registry)
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


class GaugeCollector(Collector):
    """Gauges with given values. prometheus_client's own gauges would report one value per process."""

    def __init__(self, values: Mapping[str, float], labelled: LabelledGauges) -> None:
        self._values, self._labelled = values, labelled

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges, as prometheus_client demands."""
        for name, value in self._values.items():
            yield GaugeMetricFamily(name, GAUGE_DESCRIPTIONS[name], value)
        for name, (label, values) in self._labelled.items():
            family = GaugeMetricFamily(name, LABELLED_DESCRIPTIONS[name], labels=[label])
            for what, value in values.items():
                family.add_metric([what], value)
            yield family

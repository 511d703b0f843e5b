"""Schemathesis: the API answers generated requests as its own description says."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from hypothesis import settings
from hypothesis import strategies as st

from app.services.api import cursors, tokens
from app.services.api.cursors import Cursor
from app.services.signup import registrations
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.local_server import serve_app
from tests.support.subscription_rows import insert_changed_at

if TYPE_CHECKING:
    from schemathesis import BaseSchema
    from schemathesis.engine.recorder import ScenarioRecorder


LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
NUMBERS = st.integers(0, cursors.MAX_NUMBER)
# A pattern cannot describe which cursors we made, so Hypothesis builds valid ones.
CURSORS = st.builds(Cursor, st.uuids(), NUMBERS, st.uuids()).map(cursors.encode)
USAGE_CURSORS = st.builds(
    lambda hour, row_id: cursors.encode_usage(LONG_AGO + timedelta(hours=hour), row_id),
    st.integers(0, 10**5),
    st.uuids(),
)
LISTED = {"GET /subscriptions", "GET /registrations", "GET /usage"}
SINGLE = {"GET /subscriptions/{id}", "GET /registrations/{id}", "GET /usage/items"}
REPORT = "POST /usage"
# Each item of usage gets a verdict of its own: valid ones may be refused, and invalid ones are among valid ones.
CHECKS_OF_WHOLE_BODIES = {"positive_data_acceptance", "negative_data_rejection"}
# Each example is sent to nine paths and judged by a dozen checks, so fewer examples do.
EXAMPLES = settings().max_examples // 10


@pytest.fixture
def described(app: Flask) -> "Iterator[BaseSchema]":
    """The schema from the running API's own description, with rows to read."""
    import schemathesis  # noqa: PLC0415  # slow to import

    schemathesis.openapi.format("cursor", CURSORS)
    schemathesis.openapi.format("usage-cursor", USAGE_CURSORS)
    for product_code in factories.PRODUCT_CODES:
        insert_changed_at(app, *(LONG_AGO + timedelta(hours=number) for number in range(3)), product_code=product_code)
    with app.app_context():
        registrations.complete(factories.resolved(), factories.answers())
        _, token = tokens.create("fuzz", None, "operator:alice", tokens.SCOPES)
    with serve_app(app) as url:
        schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
        schema.config.update(headers={"Authorization": f"Bearer {token}"})
        derandomize = settings().derandomize
        schema.config.generation.update(max_examples=EXAMPLES, deterministic=derandomize, database="none")
        yield schema


@on_sqlite
def test_generated_requests_get_responses_as_described(described: "BaseSchema") -> None:
    from schemathesis.engine import events, from_schema  # noqa: PLC0415  # slow to import

    # All phases of `schemathesis run`: examples, boundary values, generated values, and chains of calls.
    engine_events = list(from_schema(described).execute())

    scenarios = [event.recorder for event in engine_events if isinstance(event, events.ScenarioFinished)]
    checks = [
        check
        for scenario in scenarios
        for scenario_checks in scenario.checks.values()
        for check in scenario_checks
        if not (scenario.label == REPORT and check.name in CHECKS_OF_WHOLE_BODIES)
    ]
    assert [event for event in engine_events if isinstance(event, events.NonFatalError | events.FatalError)] == []
    assert {str(check.failure_info.failure) for check in checks if check.failure_info} == set()
    statuses = _count_statuses(scenarios)
    assert {label for label, status in statuses if status == 200} >= LISTED | SINGLE
    assert {label for label, status in statuses if status == 400} >= LISTED
    assert {label for label, status in statuses if status == 401} >= LISTED | SINGLE
    assert {label for label, status in statuses if status == 404} >= SINGLE
    assert {status for label, status in statuses if label == REPORT} >= {200, 401, 404, 415, 422}
    assert sum(statuses.values()) > 150


def _count_statuses(scenarios: "list[ScenarioRecorder]") -> Counter[tuple[str, int]]:
    """Return how often each operation answered each status."""
    return Counter(
        (scenario.label, interaction.response.status_code)
        for scenario in scenarios
        for interaction in scenario.interactions.values()
        if interaction.response
    )

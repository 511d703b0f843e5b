"""References of requests: they say when the request came."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask.testing import FlaskClient

from app.observability import references


def test_reference_says_when_the_request_came() -> None:
    with time_machine.travel(datetime(2026, 11, 29, 2, 39, 10, tzinfo=UTC), tick=False):
        created = {references.create() for _ in range(50)}

        assert {references.moment_of(reference) for reference in created} == {datetime.now(UTC)}
    assert len(created) > 45
    assert all(references.is_reference(reference) for reference in created)


@pytest.mark.parametrize("text", ["123456789012", "", "6b0b904eab1", "6B0B904EAB12", "ffffffffffff", "٦b0b904eab12"])
def test_other_text_says_no_time(text: str) -> None:
    assert references.moment_of(text) is None
    assert references.is_reference(text) == (text == "ffffffffffff")


def test_error_page_shows_a_reference_of_now(client: FlaskClient) -> None:
    reference = client.get("/welcome").headers["X-Request-Id"]

    moment = references.moment_of(reference)
    assert moment
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)

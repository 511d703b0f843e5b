"""Floods of landings, while AWS is slow or down: how many are under way, how many AWS sees, and who is served."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from app.aws import resolve_customer
from app.aws.resolve_customer import UNANSWERED_LANDINGS
from app.views.rate_limits import REFUSALS
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.scripted_aws import AwsResponse, ScriptedAws
from tests.support.token_floods import (
    GOOD,
    INVALID_TOKEN,
    OFFICE_ADDRESS,
    OTHER_ADDRESS,
    add_to_count,
    app_with_aws,
    post_invalid_tokens,
    post_token,
)

pytestmark = on_sqlite

UNAVAILABLE = AwsResponse(503, {"__type": "ServiceUnavailable"})
ODD_REFUSAL = AwsResponse(400, {"__type": "SomethingNew"})
THROTTLED = AwsResponse(400, {"__type": "ThrottlingException"})
MAX_UNDER_WAY = REFUSALS.max_under_way


class WaitingAws(ScriptedAws):
    """Answers once `may_answer` is set; `is_asked` is released at each request."""

    def __init__(self, answer: AwsResponse) -> None:
        super().__init__([answer])
        self.may_answer = threading.Event()
        self.is_asked = threading.Semaphore(0)

    def _next_response(self) -> AwsResponse:
        answer = super()._next_response()
        self.is_asked.release()
        assert self.may_answer.wait(10)
        return answer

    def wait_until_asked(self, times: int) -> None:
        for _ in range(times):
            assert self.is_asked.acquire(timeout=30)


@pytest.fixture
def visitors() -> Iterator[ThreadPoolExecutor]:
    """Threads for visitors who wait."""
    with ThreadPoolExecutor(3 * MAX_UNDER_WAY) as executor:
        yield executor


def test_address_has_few_landings_under_way(environment: pytest.MonkeyPatch, visitors: ThreadPoolExecutor) -> None:
    with WaitingAws(INVALID_TOKEN) as aws, app_with_aws(environment, aws) as app:
        first = [visitors.submit(post_token, app, f"made up {number}") for number in range(MAX_UNDER_WAY)]
        aws.wait_until_asked(MAX_UNDER_WAY)
        more = post_invalid_tokens(app, 5)
        other = visitors.submit(post_token, app, "other", OTHER_ADDRESS)
        aws.wait_until_asked(1)
        aws.may_answer.set()

        assert more == [429] * 5
        assert {landing.result().status_code for landing in [*first, other]} == {400}
    assert aws.request_count == MAX_UNDER_WAY + 1


def test_landing_under_way_counts_until_it_was_good(
    environment: pytest.MonkeyPatch, visitors: ThreadPoolExecutor
) -> None:
    with WaitingAws(GOOD) as aws, app_with_aws(environment, aws) as app:
        add_to_count(app, f"refusals/{OFFICE_ADDRESS}", 60, REFUSALS.max_count - 1)
        first = visitors.submit(post_token, app, "good")
        aws.wait_until_asked(1)
        meanwhile = post_token(app, "other")
        aws.may_answer.set()

        assert (first.result().status_code, meanwhile.status_code) == (303, 429)
        assert post_token(app, "other").status_code == 303


def test_refused_landings_free_their_places(environment: pytest.MonkeyPatch) -> None:
    with ScriptedAws([INVALID_TOKEN]) as aws, app_with_aws(environment, aws) as app:
        statuses = post_invalid_tokens(app, REFUSALS.max_count + 1)

    assert statuses == [400] * REFUSALS.max_count + [429]


def test_parallel_flood_makes_at_most_thirty_aws_calls(
    environment: pytest.MonkeyPatch, visitors: ThreadPoolExecutor
) -> None:
    with ScriptedAws([INVALID_TOKEN]) as aws, app_with_aws(environment, aws) as app:
        statuses = list(visitors.map(lambda number: post_token(app, f"made up {number}").status_code, range(200)))

    assert set(statuses) == {400, 429}
    assert aws.request_count <= REFUSALS.max_count


def test_throttled_flood_counts_as_refused(environment: pytest.MonkeyPatch) -> None:
    with ScriptedAws([THROTTLED]) as aws, app_with_aws(environment, aws) as app:
        add_to_count(app, f"refusals/{OFFICE_ADDRESS}", 60, REFUSALS.max_count - 1)

        statuses = [post_token(app, token).status_code for token in ("made up", "another")]

    assert statuses == [303, 429]


def test_aws_that_is_down_is_asked_by_few_landings(environment: pytest.MonkeyPatch) -> None:
    with ScriptedAws([UNAVAILABLE]) as aws, app_with_aws(environment, aws) as app:
        landings = [post_token(app, f"token {number}", f"203.0.113.{number}") for number in range(UNANSWERED_LANDINGS)]
        asked = aws.request_count

        landings += [post_token(app, f"later {number}", f"198.51.100.{number}") for number in range(40)]

        assert {landing.location for landing in landings} == {"/signup"}
        # A slow machine makes a few trials meanwhile. Without the breaker there are 120 calls.
        assert aws.request_count <= asked + 15


def test_odd_refusals_of_aws_are_no_outage(environment: pytest.MonkeyPatch, visitors: ThreadPoolExecutor) -> None:
    with ScriptedAws([ODD_REFUSAL]) as aws, app_with_aws(environment, aws) as app:
        landings = [visitors.submit(post_token, app, f"made up {number}") for number in range(UNANSWERED_LANDINGS)]

        assert {landing.result().status_code for landing in landings} == {303}
        with app.app_context():
            assert not resolve_customer.is_aws_down()


def test_office_is_not_limited_while_aws_is_down(environment: pytest.MonkeyPatch) -> None:
    with ScriptedAws([UNAVAILABLE]) as aws, app_with_aws(environment, aws) as app:
        landings = [post_token(app, f"token {number}") for number in range(3 * REFUSALS.max_count)]

    assert {landing.location for landing in landings} == {"/signup"}


def test_landing_is_resolved_after_a_short_outage(app: Flask, sandbox: Sandbox) -> None:
    sandbox.marketplace.change_faults(aws_down=True)
    for _ in range(UNANSWERED_LANDINGS - 1):
        post_token(app, factories.token(sandbox))
    sandbox.marketplace.change_faults(aws_down=False)

    page = app.test_client()
    page.post("/", data={factories.TOKEN_FIELD: factories.token(sandbox)})

    assert "AWS Marketplace is slow" not in page.get("/signup").text

"""Rate limits by address: a flood never reaches AWS, and a first good token is never limited."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from app.views.rate_limits import LANDINGS, PENDING_TOKENS, REFUSALS
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.page_checks import CheckedClient
from tests.support.scripted_aws import AwsResponse, ScriptedAws
from tests.support.token_floods import (
    GOOD,
    OFFICE_ADDRESS,
    OTHER_ADDRESS,
    add_to_count,
    app_with_aws,
    post_invalid_tokens,
    post_token,
    refusing_aws,
)

__all__ = ["refusing_aws"]

pytestmark = on_sqlite


class SlowAws(ScriptedAws):
    """Responds when `may_answer` is set; `was_asked` and `was_asked_again` report the first and second request."""

    def __init__(self, answers: list[AwsResponse]) -> None:
        super().__init__(answers)
        self.was_asked, self.was_asked_again, self.may_answer = (threading.Event() for _ in range(3))

    def _next_response(self) -> AwsResponse:
        answer = super()._next_response()
        (self.was_asked_again if self.was_asked.is_set() else self.was_asked).set()
        assert self.may_answer.wait(10)
        return answer


def test_flood_of_invalid_tokens_makes_thirty_aws_calls(refusing_aws: tuple[Flask, ScriptedAws]) -> None:
    app, aws = refusing_aws

    statuses = post_invalid_tokens(app, 80)

    assert statuses == [400] * REFUSALS.max_count + [429] * (80 - REFUSALS.max_count)
    assert aws.request_count == REFUSALS.max_count == 30


def test_flood_does_not_block_another_address(app: Flask, sandbox: Sandbox) -> None:
    post_invalid_tokens(app, 40)

    assert post_token(app, factories.token(sandbox)).status_code == 429
    assert post_token(app, factories.token(sandbox), OTHER_ADDRESS).location == "/signup"


def test_repeated_invalid_token_makes_one_aws_call(refusing_aws: tuple[Flask, ScriptedAws]) -> None:
    app, aws = refusing_aws

    statuses = [post_token(app, "made up").status_code for _ in range(100)]

    assert set(statuses) == {400}
    assert aws.request_count == 1


def test_repeated_token_reaches_the_landing_limit(refusing_aws: tuple[Flask, ScriptedAws]) -> None:
    app, aws = refusing_aws

    statuses = [post_token(app, "made up").status_code for _ in range(LANDINGS.max_count + 2)]

    assert statuses == [400] * LANDINGS.max_count + [429] * 2
    assert aws.request_count == 1


def test_second_click_makes_one_aws_call(environment: pytest.MonkeyPatch) -> None:
    with ScriptedAws([GOOD]) as aws, app_with_aws(environment, aws) as app:
        clicks = [post_token(app, "good") for _ in range(2)]

        assert [click.location for click in clicks] == ["/signup"] * 2
        assert aws.request_count == 1


def test_double_click_during_slow_aws_makes_one_aws_call(environment: pytest.MonkeyPatch) -> None:
    with SlowAws([GOOD]) as aws, app_with_aws(environment, aws) as app, ThreadPoolExecutor(2) as clicks:
        first = clicks.submit(post_token, app, "good")
        assert aws.was_asked.wait(30)
        second = clicks.submit(post_token, app, "good")
        asked_again = aws.was_asked_again.wait(0.5)
        aws.may_answer.set()

        assert [first.result().location, second.result().location] == ["/signup"] * 2
        assert not asked_again
        assert aws.request_count == 1


def test_busy_office_is_not_limited(app: Flask, sandbox: Sandbox) -> None:
    now = datetime.now(UTC)
    with time_machine.travel(now - timedelta(hours=5), tick=False):
        expired = [factories.token(sandbox) for _ in range(15)]

    with time_machine.travel(now, tick=False):
        good = [factories.token(sandbox) for _ in range(250)]
        for number, token in enumerate(good):
            assert post_token(app, token).location == "/signup"
            if number % 2:
                assert post_token(app, token).location == "/signup"
            if number % 4 == 0:
                assert post_token(app, expired[number % 15]).status_code == 400


def test_only_first_good_landings_are_uncounted(app: Flask, sandbox: Sandbox) -> None:
    add_to_count(app, f"landings/{OFFICE_ADDRESS}", 60, LANDINGS.max_count - 1)
    good = [factories.token(sandbox) for _ in range(3)]

    first = [post_token(app, token).status_code for token in good]
    again = [post_token(app, token).status_code for token in good]

    assert first == [303] * 3
    assert again == [303, 429, 429]


def test_pending_tokens_count_as_landings(app: Flask, sandbox: Sandbox) -> None:
    add_to_count(app, f"landings/{OFFICE_ADDRESS}", 60, LANDINGS.max_count - 1)
    sandbox.marketplace.change_faults(aws_down=True)

    statuses = [post_token(app, factories.token(sandbox)).status_code for _ in range(2)]

    assert statuses == [303, 429]


def test_other_sellers_tokens_count_as_refusals(app: Flask, sandbox: Sandbox) -> None:
    add_to_count(app, f"refusals/{OFFICE_ADDRESS}", 60, REFUSALS.max_count - 1)

    statuses = [
        post_token(app, factories.token(sandbox, product_code=factories.OTHER_PRODUCT_CODE)).status_code
        for _ in range(2)
    ]

    assert statuses == [404, 429]


def test_limit_page_says_when_to_try_again(
    refusing_aws: tuple[Flask, ScriptedAws], capsys: pytest.CaptureFixture[str]
) -> None:
    app, _ = refusing_aws
    app.test_client_class = CheckedClient
    post_invalid_tokens(app, 30)

    page = post_token(app, "the+buyers/token==")

    assert page.status_code == 429
    assert 1 <= int(page.headers["Retry-After"]) <= 60
    assert "Your subscription is safe" in page.text
    assert "wait a minute, then try again" in page.text
    assert 'value="the+buyers/token=="' in page.text
    assert "Try again</button>" in page.text
    log = capsys.readouterr().err
    assert '"fault": "TooManyLandings", "code": "refusals"' in log
    assert "the+buyers/token" not in log
    assert OFFICE_ADDRESS not in log


def test_limited_landings_are_counted_in_metrics(refusing_aws: tuple[Flask, ScriptedAws]) -> None:
    app, _ = refusing_aws
    post_invalid_tokens(app, 31)

    metrics = app.test_client().get("/metrics").text

    assert 'foyer_landings_total{outcome="TooManyLandings"}' in metrics


def test_limit_ends_with_its_window(app: Flask, sandbox: Sandbox) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        post_invalid_tokens(app, 30)
        clock.shift(20)
        refused = post_token(app, factories.token(sandbox))
        clock.shift(int(refused.headers["Retry-After"]))
        served = post_token(app, factories.token(sandbox))

    assert refused.headers["Retry-After"] == "40"
    assert served.location == "/signup"


def test_other_pages_are_not_limited(app: Flask, client: FlaskClient) -> None:
    for name in ("landings", "refusals"):
        add_to_count(app, f"{name}/127.0.0.1", 60, 10_000)

    assert [client.get(path).status_code for path in ("/", "/healthz", "/readyz")] == [200] * 3
    assert client.post("/").status_code == 400


def test_one_address_cannot_use_all_pending_token_space(app: Flask, sandbox: Sandbox) -> None:
    sandbox.marketplace.change_faults(aws_down=True)
    add_to_count(app, f"parked/{OFFICE_ADDRESS}", 3600, PENDING_TOKENS.max_count - 1)

    within_limit = post_token(app, factories.token(sandbox))
    over_limit = post_token(app, factories.token(sandbox))
    other_address = post_token(app, factories.token(sandbox), OTHER_ADDRESS)

    assert within_limit.location == other_address.location == "/signup"
    assert over_limit.status_code == 503
    assert "Try again</button>" in over_limit.text

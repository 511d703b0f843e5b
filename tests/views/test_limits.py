"""Limits by address: floods end at our door, and no buyer with a good first token meets them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from app.security import rate_counters
from app.views.rate_limits import LANDINGS, PARKED, REFUSALS
from sandbox.server import Sandbox
from tests import factories
from tests.aws.fake import Answer, Fake
from tests.databases import on_sqlite
from tests.pages import CheckedClient
from tests.views.floods import ELSEWHERE, OFFICE, facing, flood, land, refusing

__all__ = ["refusing"]

pytestmark = on_sqlite

GOOD = Answer(
    200,
    {"ProductCode": factories.CODE, "CustomerAWSAccountId": "012345678901", "LicenseArn": "arn:aws:license:1"},
)


class SlowFake(Fake):
    """Answers when it is told to, and says when it is asked for the first and for the second time."""

    def __init__(self, answers: list[Answer]) -> None:
        super().__init__(answers)
        self.was_asked, self.was_asked_again, self.may_answer = (threading.Event() for _ in range(3))

    def _next(self) -> Answer:
        answer = super()._next()
        (self.was_asked_again if self.was_asked.is_set() else self.was_asked).set()
        assert self.may_answer.wait(10)
        return answer


def test_a_flood_of_made_up_tokens_reaches_aws_thirty_times_a_minute(refusing: tuple[Flask, Fake]) -> None:
    app, aws = refusing

    statuses = flood(app, 80)

    assert statuses == [400] * REFUSALS.at_most + [429] * (80 - REFUSALS.at_most)
    assert aws.asked == REFUSALS.at_most == 30


def test_a_flood_at_one_address_shuts_out_no_other(app: Flask, sandbox: Sandbox) -> None:
    flood(app, 40)

    assert land(app, factories.token(sandbox)).status_code == 429
    assert land(app, factories.token(sandbox), ELSEWHERE).location == "/signup"


def test_the_same_made_up_token_again_and_again_is_one_call(refusing: tuple[Flask, Fake]) -> None:
    app, aws = refusing

    statuses = [land(app, "made up").status_code for _ in range(100)]

    assert set(statuses) == {400}
    assert aws.asked == 1


def test_one_token_again_and_again_ends_at_the_generous_limit(refusing: tuple[Flask, Fake]) -> None:
    app, aws = refusing

    statuses = [land(app, "made up").status_code for _ in range(LANDINGS.at_most + 2)]

    assert statuses == [400] * LANDINGS.at_most + [429] * 2
    assert aws.asked == 1


def test_a_second_click_is_one_call_and_the_same_way_on(environment: pytest.MonkeyPatch) -> None:
    with Fake([GOOD]) as aws, facing(environment, aws) as app:
        clicks = [land(app, "good") for _ in range(2)]

        assert [click.location for click in clicks] == ["/signup"] * 2
        assert aws.asked == 1


def test_a_double_click_while_aws_is_slow_is_one_call(environment: pytest.MonkeyPatch) -> None:
    with SlowFake([GOOD]) as aws, facing(environment, aws) as app, ThreadPoolExecutor(2) as hand:
        first = hand.submit(land, app, "good")
        assert aws.was_asked.wait(5)
        second = hand.submit(land, app, "good")
        asked_again = aws.was_asked_again.wait(0.5)
        aws.may_answer.set()

        assert [first.result().location, second.result().location] == ["/signup"] * 2
        assert not asked_again
        assert aws.asked == 1


def test_a_busy_office_never_meets_the_limit(app: Flask, sandbox: Sandbox) -> None:
    now = datetime.now(UTC)
    with time_machine.travel(now - timedelta(hours=5), tick=False):
        expired = [factories.token(sandbox) for _ in range(15)]

    with time_machine.travel(now, tick=False):
        good = [factories.token(sandbox) for _ in range(250)]
        for number, token in enumerate(good):
            assert land(app, token).location == "/signup"
            if number % 2:
                assert land(app, token).location == "/signup"
            if number % 4 == 0:
                assert land(app, expired[number % 15]).status_code == 400


def test_first_landings_with_good_tokens_are_not_counted_and_others_are(app: Flask, sandbox: Sandbox) -> None:
    with app.app_context():
        rate_counters.current().add(f"landings/{OFFICE}", 60, LANDINGS.at_most - 1)
    good = [factories.token(sandbox) for _ in range(3)]

    first = [land(app, token).status_code for token in good]
    again = [land(app, token).status_code for token in good]

    assert first == [303] * 3
    assert again == [303, 429, 429]


def test_tokens_that_aws_could_not_judge_are_counted(app: Flask, sandbox: Sandbox) -> None:
    with app.app_context():
        rate_counters.current().add(f"landings/{OFFICE}", 60, LANDINGS.at_most - 1)
    sandbox.world.faults = sandbox.world.faults.model_copy(update={"aws_down": True})

    statuses = [land(app, factories.token(sandbox)).status_code for _ in range(2)]

    assert statuses == [303, 429]


def test_tokens_of_a_product_that_is_not_ours_count_as_refused(app: Flask, sandbox: Sandbox) -> None:
    with app.app_context():
        rate_counters.current().add(f"refusals/{OFFICE}", 60, REFUSALS.at_most - 1)

    statuses = [land(app, factories.token(sandbox, product_code=factories.OTHER_CODE)).status_code for _ in range(2)]

    assert statuses == [404, 429]


def test_the_page_says_that_all_is_safe_and_when_to_try_again(
    refusing: tuple[Flask, Fake], capsys: pytest.CaptureFixture[str]
) -> None:
    app, _ = refusing
    app.test_client_class = CheckedClient
    flood(app, 30)

    page = land(app, "the+buyers/token==")

    assert page.status_code == 429
    assert 1 <= int(page.headers["Retry-After"]) <= 60
    assert "Your subscription is safe" in page.text
    assert "wait a minute, then try again" in page.text
    assert 'value="the+buyers/token=="' in page.text
    assert "Try again</button>" in page.text
    log = capsys.readouterr().err
    assert '"fault": "TooManyLandings", "code": "refusals"' in log
    assert "the+buyers/token" not in log
    assert OFFICE not in log


def test_landings_turned_away_are_counted(refusing: tuple[Flask, Fake]) -> None:
    app, _ = refusing
    flood(app, 31)

    metrics = app.test_client().get("/metrics").text

    assert 'foyer_landings_total{outcome="TooManyLandings"}' in metrics


def test_when_the_minute_is_over_the_address_is_served_again(app: Flask, sandbox: Sandbox) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        flood(app, 30)
        clock.shift(20)
        refused = land(app, factories.token(sandbox))
        clock.shift(int(refused.headers["Retry-After"]))
        served = land(app, factories.token(sandbox))

    assert refused.headers["Retry-After"] == "40"
    assert served.location == "/signup"


def test_other_pages_know_no_limit(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        for name in ("landings", "refusals"):
            rate_counters.current().add(f"{name}/127.0.0.1", 60, 10_000)

    assert [client.get(path).status_code for path in ("/", "/healthz", "/readyz")] == [200] * 3
    assert client.post("/").status_code == 400


def test_one_address_cannot_fill_the_parking_places_of_all(app: Flask, sandbox: Sandbox) -> None:
    sandbox.world.faults = sandbox.world.faults.model_copy(update={"aws_down": True})
    with app.app_context():
        rate_counters.current().add(f"parked/{OFFICE}", 3600, PARKED.at_most - 1)

    last = land(app, factories.token(sandbox))
    one_more = land(app, factories.token(sandbox))
    elsewhere = land(app, factories.token(sandbox), ELSEWHERE)

    assert last.location == elsewhere.location == "/signup"
    assert one_more.status_code == 503
    assert "Try again</button>" in one_more.text

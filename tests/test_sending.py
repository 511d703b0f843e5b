"""Sending: each way out goes at its own pace, whatever becomes of the others, and ends when it is told to."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.models import OutboxMessage
from app.services.reports import outbox
from app.worker import senders
from tests import cable, factories, post, receiver
from tests.databases import on_postgresql, on_sqlite
from tests.factories import CODE, OTHER_CODE
from tests.lanes import WAIT_SECONDS, Impatient, Quick, Slow, buy, comes_true, outcomes, selling, sending_of, spoil
from tests.post import Post
from tests.promised import claim, handed_off, later, mails, stored


def test_a_slow_product_keeps_neither_another_product_nor_the_mail_waiting(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow, quick, clerk = Slow(senders.AT_ONCE), Quick(), Post()
    with (
        receiver.receiving(slow),
        receiver.receiving(quick),
        post.server(clerk) as port,
        selling(environment, tmp_path, {CODE: slow.url, OTHER_CODE: quick.url}, port) as app,
    ):
        for number in range(senders.AT_ONCE + 1):
            buy(app, CODE, str(number))
        with sending_of(app):
            slow.wait()
            buy(app, OTHER_CODE)

            assert quick.came_in.acquire(timeout=WAIT_SECONDS)
            assert comes_true(lambda: outcomes(app, OTHER_CODE) == ["delivered"])
            assert comes_true(lambda: all(mail.outcome == "delivered" for mail in mails(app)))
            assert set(outcomes(app, CODE)) == {"waiting"}
            slow.let.set()

            assert comes_true(lambda: set(outcomes(app, CODE)) == {"delivered"})
        assert len(clerk.envelopes) == len(mails(app)) == 2 * (senders.AT_ONCE + 2)


@on_sqlite
def test_a_stop_lets_what_is_under_way_end_and_begins_nothing(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow = Slow(senders.AT_ONCE)
    with receiver.receiving(slow), selling(environment, tmp_path, {CODE: slow.url}, 1) as app:
        for number in range(senders.AT_ONCE + 1):
            buy(app, CODE, str(number))
        with sending_of(app) as stop:
            slow.wait()
            stop.set()
            slow.let.set()

        assert sorted(outcomes(app, CODE)) == [*["delivered"] * senders.AT_ONCE, "waiting"]
        assert [message.tries for message in handed_off(app)].count(0) == 1


@on_sqlite
def test_a_lane_whose_product_fails_in_ways_that_nobody_foresaw_goes_on_and_tries_again_soon(
    environment: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = Quick()
    with receiver.receiving(quick), selling(environment, tmp_path, {CODE: quick.url}, 1) as app:
        broken, sound = buy(app, CODE, "broken"), buy(app, CODE, "sound")
        spoil(app, OutboxMessage.subscription_id == broken, {**factories.ANSWERS, "spoilt": "\ud800"})
        with sending_of(app):
            assert quick.came_in.acquire(timeout=WAIT_SECONDS)
            assert comes_true(lambda: sorted(outcomes(app, CODE)) == ["delivered", "waiting"])
            assert comes_true(lambda: "UnicodeEncodeError" in [message.fault for message in handed_off(app)])

        # Before a lease would have ended.
        with later(seconds=20):
            again = claim(app)

    assert again
    assert again.subscription_id == broken != sound
    (told, *_) = [line for line in capsys.readouterr().err.splitlines() if '"event": "worker.failed"' in line]
    assert f'"chore": "handoff/{CODE}", "fault": "UnicodeEncodeError"' in told
    assert '"frames": [' in told
    assert factories.ANSWERS["email"] not in told


@on_sqlite
def test_what_fails_in_ways_that_nobody_foresaw_is_given_up_after_three_days(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    quick, clerk = Quick(), Post()
    with (
        receiver.receiving(quick),
        post.server(clerk) as port,
        selling(environment, tmp_path, {CODE: quick.url}, port) as app,
    ):
        buy(app, CODE)
        (handoff,), (mail, _) = handed_off(app), mails(app)
        buy(app, CODE, phone=None)
        long_ago = datetime.now(UTC) - timedelta(days=3)
        spoil(app, OutboxMessage.id == handoff.id, {"spoilt": "\ud800"}, due_since=long_ago, tries=1)
        spoil(app, OutboxMessage.id == mail.id, {"happened_at": "long ago"}, due_since=long_ago, tries=1)
        with sending_of(app):
            assert comes_true(lambda: "waiting" not in {message.outcome for message in stored(app)})

        failed = {message.id: message.fault for message in stored(app) if message.outcome == "failed"}
        assert failed == {handoff.id: "UnicodeEncodeError", mail.id: "ValueError"}
        with app.app_context():
            assert all(outbox.send_again(message_id) for message_id in failed)


@on_postgresql
def test_a_database_that_goes_away_for_a_while_ends_no_lane(
    environment: pytest.MonkeyPatch, tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    quick, clerk, stop = Quick(), Post(), Impatient()
    with (
        receiver.receiving(quick),
        post.server(clerk) as port,
        cable.laid(database_url) as line,
    ):
        environment.setenv("DATABASE_URL", line.url)
        with selling(environment, tmp_path, {CODE: quick.url}, port) as app:
            buy(app, CODE)
            line.pull(app)
            with sending_of(app, stop):
                for lane in (f"handoff/{CODE}", "mail"):
                    assert stop.paused(lane)
                line.mend()

                assert quick.came_in.acquire(timeout=WAIT_SECONDS)
                assert comes_true(lambda: len(clerk.envelopes) == 2)
                assert comes_true(lambda: {message.outcome for message in handed_off(app)} == {"delivered"})
    log = capsys.readouterr().err
    assert '"chore": "mail", "fault": "DatabaseUnavailable"' in log
    assert '"frames"' not in log

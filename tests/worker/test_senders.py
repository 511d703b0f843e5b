"""Sending: each way out goes at its own pace, whatever becomes of the others, and ends when it is told to."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.models import OutboxMessage
from app.services.reports import outbox
from app.worker import senders
from tests.support import database_proxy, factories, handoff_receiver, smtp_server
from tests.support.clock import time_passes
from tests.support.databases import on_postgresql, on_sqlite
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE
from tests.support.outbox_messages import claim_next, handoff_messages, mail_messages, outbox_messages
from tests.support.smtp_server import FakeSmtpServer
from tests.worker.sender_stubs import (
    WAIT_SECONDS,
    BlockingProduct,
    FastProduct,
    ShortStopEvent,
    app_with_products,
    corrupt_messages,
    handoff_outcomes,
    is_true_in_time,
    register_purchase,
    run_senders,
)


def test_a_slow_product_keeps_neither_another_product_nor_the_mail_waiting(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow, quick, clerk = BlockingProduct(senders.MAX_CONCURRENT_SENDS), FastProduct(), FakeSmtpServer()
    with (
        handoff_receiver.serve(slow),
        handoff_receiver.serve(quick),
        smtp_server.serve_smtp(clerk) as port,
        app_with_products(environment, tmp_path, {PRODUCT_CODE: slow.url, OTHER_PRODUCT_CODE: quick.url}, port) as app,
    ):
        for number in range(senders.MAX_CONCURRENT_SENDS + 1):
            register_purchase(app, PRODUCT_CODE, str(number))
        with run_senders(app):
            slow.wait_for_requests()
            register_purchase(app, OTHER_PRODUCT_CODE)

            assert quick.received_requests.acquire(timeout=WAIT_SECONDS)
            assert is_true_in_time(lambda: handoff_outcomes(app, OTHER_PRODUCT_CODE) == ["delivered"])
            assert is_true_in_time(lambda: all(mail.outcome == "delivered" for mail in mail_messages(app)))
            assert set(handoff_outcomes(app, PRODUCT_CODE)) == {"waiting"}
            slow.released.set()

            assert is_true_in_time(lambda: set(handoff_outcomes(app, PRODUCT_CODE)) == {"delivered"})
        assert len(clerk.envelopes) == len(mail_messages(app)) == 2 * (senders.MAX_CONCURRENT_SENDS + 2)


@on_sqlite
def test_a_stop_lets_what_is_under_way_end_and_begins_nothing(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow = BlockingProduct(senders.MAX_CONCURRENT_SENDS)
    with handoff_receiver.serve(slow), app_with_products(environment, tmp_path, {PRODUCT_CODE: slow.url}, 1) as app:
        for number in range(senders.MAX_CONCURRENT_SENDS + 1):
            register_purchase(app, PRODUCT_CODE, str(number))
        with run_senders(app) as stop:
            slow.wait_for_requests()
            stop.set()
            slow.released.set()

        assert sorted(handoff_outcomes(app, PRODUCT_CODE)) == [*["delivered"] * senders.MAX_CONCURRENT_SENDS, "waiting"]
        assert [message.tries for message in handoff_messages(app)].count(0) == 1


@on_sqlite
def test_a_lane_whose_product_fails_in_ways_that_nobody_foresaw_goes_on_and_tries_again_soon(
    environment: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = FastProduct()
    with handoff_receiver.serve(quick), app_with_products(environment, tmp_path, {PRODUCT_CODE: quick.url}, 1) as app:
        broken, sound = register_purchase(app, PRODUCT_CODE, "broken"), register_purchase(app, PRODUCT_CODE, "sound")
        corrupt_messages(app, OutboxMessage.subscription_id == broken, {**factories.ANSWERS, "spoilt": "\ud800"})
        with run_senders(app):
            assert quick.received_requests.acquire(timeout=WAIT_SECONDS)
            assert is_true_in_time(lambda: sorted(handoff_outcomes(app, PRODUCT_CODE)) == ["delivered", "waiting"])
            assert is_true_in_time(lambda: "UnicodeEncodeError" in [message.fault for message in handoff_messages(app)])

        # Before a lease would have ended.
        with time_passes(seconds=20):
            again = claim_next(app)

    assert again
    assert again.subscription_id == broken != sound
    (told, *_) = [line for line in capsys.readouterr().err.splitlines() if '"event": "worker.failed"' in line]
    assert f'"chore": "handoff/{PRODUCT_CODE}", "fault": "UnicodeEncodeError"' in told
    assert '"frames": [' in told
    assert factories.ANSWERS["email"] not in told


@on_sqlite
def test_what_fails_in_ways_that_nobody_foresaw_is_given_up_after_three_days(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    quick, clerk = FastProduct(), FakeSmtpServer()
    with (
        handoff_receiver.serve(quick),
        smtp_server.serve_smtp(clerk) as port,
        app_with_products(environment, tmp_path, {PRODUCT_CODE: quick.url}, port) as app,
    ):
        register_purchase(app, PRODUCT_CODE)
        (handoff,), (mail, _) = handoff_messages(app), mail_messages(app)
        register_purchase(app, PRODUCT_CODE, phone=None)
        long_ago = datetime.now(UTC) - timedelta(days=3)
        corrupt_messages(app, OutboxMessage.id == handoff.id, {"spoilt": "\ud800"}, due_since=long_ago, tries=1)
        corrupt_messages(app, OutboxMessage.id == mail.id, {"happened_at": "long ago"}, due_since=long_ago, tries=1)
        with run_senders(app):
            assert is_true_in_time(lambda: "waiting" not in {message.outcome for message in outbox_messages(app)})

        failed = {message.id: message.fault for message in outbox_messages(app) if message.outcome == "failed"}
        assert failed == {handoff.id: "UnicodeEncodeError", mail.id: "ValueError"}
        with app.app_context():
            assert all(outbox.resend(message_id) for message_id in failed)


@on_postgresql
def test_a_database_that_goes_away_for_a_while_ends_no_lane(
    environment: pytest.MonkeyPatch, tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    quick, clerk, stop = FastProduct(), FakeSmtpServer(), ShortStopEvent()
    with (
        handoff_receiver.serve(quick),
        smtp_server.serve_smtp(clerk) as port,
        database_proxy.start(database_url) as line,
    ):
        environment.setenv("DATABASE_URL", line.url)
        with app_with_products(environment, tmp_path, {PRODUCT_CODE: quick.url}, port) as app:
            register_purchase(app, PRODUCT_CODE)
            line.disconnect(app)
            with run_senders(app, stop):
                for lane in (f"handoff/{PRODUCT_CODE}", "mail"):
                    assert stop.has_paused(lane)
                line.reconnect()

                assert quick.received_requests.acquire(timeout=WAIT_SECONDS)
                assert is_true_in_time(lambda: len(clerk.envelopes) == 2)
                assert is_true_in_time(lambda: {message.outcome for message in handoff_messages(app)} == {"delivered"})
    log = capsys.readouterr().err
    assert '"chore": "mail", "fault": "DatabaseUnavailable"' in log
    assert '"frames"' not in log

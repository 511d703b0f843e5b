"""The senders: each lane sends at its own pace, continues after an error, and ends when it is stopped."""

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


def test_slow_product_delays_neither_other_products_nor_mail(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow, fast, mail_server = BlockingProduct(senders.MAX_CONCURRENT_SENDS), FastProduct(), FakeSmtpServer()
    with (
        handoff_receiver.serve(slow),
        handoff_receiver.serve(fast),
        smtp_server.serve_smtp(mail_server) as port,
        app_with_products(environment, tmp_path, {PRODUCT_CODE: slow.url, OTHER_PRODUCT_CODE: fast.url}, port) as app,
    ):
        for number in range(senders.MAX_CONCURRENT_SENDS + 1):
            register_purchase(app, PRODUCT_CODE, str(number))
        with run_senders(app):
            slow.wait_for_requests()
            register_purchase(app, OTHER_PRODUCT_CODE)

            assert fast.received_requests.acquire(timeout=WAIT_SECONDS)
            assert is_true_in_time(lambda: handoff_outcomes(app, OTHER_PRODUCT_CODE) == ["delivered"])
            assert is_true_in_time(lambda: all(mail.outcome == "delivered" for mail in mail_messages(app)))
            assert set(handoff_outcomes(app, PRODUCT_CODE)) == {"waiting"}
            slow.released.set()

            assert is_true_in_time(lambda: set(handoff_outcomes(app, PRODUCT_CODE)) == {"delivered"})
        assert len(mail_server.envelopes) == len(mail_messages(app)) == 2 * (senders.MAX_CONCURRENT_SENDS + 2)


@on_sqlite
def test_stopped_senders_finish_running_sends_and_start_none(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
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
def test_lane_continues_after_an_unexpected_error_and_retries_soon(
    environment: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fast = FastProduct()
    with handoff_receiver.serve(fast), app_with_products(environment, tmp_path, {PRODUCT_CODE: fast.url}, 1) as app:
        broken_id = register_purchase(app, PRODUCT_CODE, "broken")
        sound_id = register_purchase(app, PRODUCT_CODE, "sound")
        corrupt_messages(app, OutboxMessage.subscription_id == broken_id, {**factories.ANSWERS, "spoilt": "\ud800"})
        with run_senders(app):
            assert fast.received_requests.acquire(timeout=WAIT_SECONDS)
            assert is_true_in_time(lambda: sorted(handoff_outcomes(app, PRODUCT_CODE)) == ["delivered", "waiting"])
            assert is_true_in_time(lambda: "UnicodeEncodeError" in [message.fault for message in handoff_messages(app)])

        # Before a lease would have ended.
        with time_passes(seconds=20):
            claimed = claim_next(app)

    assert claimed
    assert claimed.subscription_id == broken_id != sound_id
    (log, *_) = [entry for entry in capsys.readouterr().err.splitlines() if '"event": "worker.failed"' in entry]
    assert f'"chore": "handoff/{PRODUCT_CODE}", "fault": "UnicodeEncodeError"' in log
    assert '"frames": [' in log
    assert factories.ANSWERS["email"] not in log


@on_sqlite
def test_message_with_an_unexpected_error_fails_after_three_days(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fast, mail_server = FastProduct(), FakeSmtpServer()
    with (
        handoff_receiver.serve(fast),
        smtp_server.serve_smtp(mail_server) as port,
        app_with_products(environment, tmp_path, {PRODUCT_CODE: fast.url}, port) as app,
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
def test_lanes_continue_after_a_database_outage(
    environment: pytest.MonkeyPatch, tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fast, mail_server, stop = FastProduct(), FakeSmtpServer(), ShortStopEvent()
    with (
        handoff_receiver.serve(fast),
        smtp_server.serve_smtp(mail_server) as port,
        database_proxy.start(database_url) as proxy,
    ):
        environment.setenv("DATABASE_URL", proxy.url)
        with app_with_products(environment, tmp_path, {PRODUCT_CODE: fast.url}, port) as app:
            register_purchase(app, PRODUCT_CODE)
            proxy.disconnect(app)
            with run_senders(app, stop):
                for lane in (f"handoff/{PRODUCT_CODE}", "mail"):
                    assert stop.has_paused(lane)
                proxy.reconnect()

                assert fast.received_requests.acquire(timeout=WAIT_SECONDS)
                assert is_true_in_time(lambda: len(mail_server.envelopes) == 2)
                assert is_true_in_time(lambda: {message.outcome for message in handoff_messages(app)} == {"delivered"})
    log = capsys.readouterr().err
    assert '"chore": "mail", "fault": "DatabaseUnavailable"' in log
    assert '"frames"' not in log

"""Sending: each way out goes at its own pace, whatever becomes of the others, and ends when it is told to."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select, update

from app import create_app, database, sending
from app.models import OutboxMessage
from tests import cable, factories, post, receiver
from tests.factories import CODE, OTHER_CODE
from tests.post import Post
from tests.promised import claim, handed_off, later, mails, on_sqlite, register
from tests.receiver import OK, Receiver, Reply

ARN = "arn:aws:license-manager::294406891311:license:l-"
PRODUCT = """
[products.{code}]
name = "Acme Insights"
pricing = "subscription"
sign_in_url = "https://app.acme.example/login"
support_email = "help@acme.example"
handoff_url = "{url}"
"""
WAIT_SECONDS = 10


class Slow(Receiver):
    """A product that answers nothing before it is let, and knows how many wait for it."""

    def __init__(self, expected: int = 1) -> None:
        super().__init__(reply=self.linger)
        self.asked, self.let = threading.Semaphore(0), threading.Event()
        self.expected = expected

    def linger(self, _: object) -> Reply:
        self.asked.release()
        assert self.let.wait(WAIT_SECONDS)
        return OK

    def wait(self) -> None:
        """Wait until as many as were expected are waiting for an answer."""
        for _ in range(self.expected):
            assert self.asked.acquire(timeout=WAIT_SECONDS)


class Impatient(threading.Event):
    """A stop that lets nobody pause for long, and knows which lane has paused."""

    def __init__(self) -> None:
        super().__init__()
        self._pauses = defaultdict[str, threading.Event](threading.Event)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, much less than is wanted after a failure."""
        if timeout == sending.AFTER_FAILURE_SECONDS:
            self._pauses[threading.current_thread().name].set()
        return super().wait(min(timeout or 0, 0.05))

    def paused(self, lane: str) -> bool:
        """Return whether the lane pauses, in time, after a failure."""
        return self._pauses[lane].wait(WAIT_SECONDS)


class Quick(Receiver):
    """A product that answers at once, and can be waited for."""

    def __init__(self) -> None:
        super().__init__(reply=self.answer)
        self.came_in = threading.Semaphore(0)

    def answer(self, _: object) -> Reply:
        self.came_in.release()
        return OK


@contextmanager
def selling(environment: pytest.MonkeyPatch, folder: Path, products: dict[str, str], port: int) -> Iterator[Flask]:
    """The application of a seller whose products take hand-offs at those URLs, with a mail server on that port."""
    for name in ("CODE", "NAME", "SIGN_IN_URL"):
        environment.delenv(f"PRODUCT_{name}")
    environment.delenv("SUPPORT_EMAIL")
    (folder / "products.toml").write_text("".join(PRODUCT.format(code=code, url=url) for code, url in products.items()))
    for name, value in {**factories.handing_off(""), "PRODUCTS_FILE": str(folder / "products.toml")}.items():
        environment.setenv(name, value)
    environment.delenv("PRODUCT_HANDOFF_URL")
    environment.setenv("MAIL_FROM", "start@acme.example")
    environment.setenv("SMTP_URL", f"smtp://127.0.0.1:{port}")
    with factories.running(create_app()) as app:
        yield app


@contextmanager
def sending_of(app: Flask, stop: threading.Event | None = None) -> Iterator[threading.Event]:
    """Send as a worker does, until the event; at the end every lane has to have ended."""
    stop = stop or threading.Event()
    with app.app_context():
        threads = sending.start(app, stop)
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join(WAIT_SECONDS)
    assert not [thread.name for thread in threads if thread.is_alive()]


def comes_true(condition: Callable[[], bool]) -> bool:
    """Return whether it does in time."""
    waiting = threading.Event()
    return any(condition() or waiting.wait(0.02) for _ in range(int(WAIT_SECONDS / 0.02)))


def outcomes(app: Flask, product_code: str) -> list[str]:
    found = select(OutboxMessage.outcome).where(OutboxMessage.lane == f"handoff/{product_code}")
    with app.app_context(), database.current().reading.connect() as connection:
        return list(connection.scalars(found.order_by(OutboxMessage.id)))


def buy(app: Flask, product_code: str, name: str = "one") -> UUID:
    return register(app, {"product_code": product_code, "license_arn": f"{ARN}{product_code}-{name}"})


def test_a_slow_product_keeps_neither_another_product_nor_the_mail_waiting(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow, quick, clerk = Slow(sending.AT_ONCE), Quick(), Post()
    with (
        receiver.receiving(slow),
        receiver.receiving(quick),
        post.server(clerk) as port,
        selling(environment, tmp_path, {CODE: slow.url, OTHER_CODE: quick.url}, port) as app,
    ):
        for number in range(sending.AT_ONCE + 1):
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
        assert len(clerk.envelopes) == len(mails(app)) == 2 * (sending.AT_ONCE + 2)


@on_sqlite
def test_a_stop_lets_what_is_under_way_end_and_begins_nothing(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow = Slow(sending.AT_ONCE)
    with receiver.receiving(slow), selling(environment, tmp_path, {CODE: slow.url}, 1) as app:
        for number in range(sending.AT_ONCE + 1):
            buy(app, CODE, str(number))
        with sending_of(app) as stop:
            slow.wait()
            stop.set()
            slow.let.set()

        assert sorted(outcomes(app, CODE)) == [*["delivered"] * sending.AT_ONCE, "waiting"]
        assert [message.tries for message in handed_off(app)].count(0) == 1


@on_sqlite
def test_a_lane_whose_product_fails_in_ways_that_nobody_foresaw_goes_on(
    environment: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = Quick()
    with receiver.receiving(quick), selling(environment, tmp_path, {CODE: quick.url}, 1) as app:
        broken, sound = buy(app, CODE, "broken"), buy(app, CODE, "sound")
        with app.app_context():
            spoilt = update(OutboxMessage).where(OutboxMessage.subscription_id == broken)
            database.current().write(lambda connection: connection.execute(spoilt.values(payload="\ud800")))
        with sending_of(app):
            assert quick.came_in.acquire(timeout=WAIT_SECONDS)
            assert comes_true(lambda: sorted(outcomes(app, CODE)) == ["delivered", "waiting"])

        with later(seconds=31):
            again = claim(app)

    assert again
    assert again.subscription_id == broken != sound
    assert f'"chore": "handoff/{CODE}", "fault": "UnicodeEncodeError"' in capsys.readouterr().err


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
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

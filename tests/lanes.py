"""Sending in tests: products and mail servers that take what the outbox promised, each at its own pace."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import ColumnElement, select, update

from app import create_app
from app.database import transactions
from app.models import OutboxMessage
from app.worker import senders
from tests import factories
from tests.promised import register
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
        if timeout == senders.AFTER_FAILURE_SECONDS:
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
        threads = senders.start(app, stop)
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
    """Return what became of the product's hand-offs, the oldest first."""
    found = select(OutboxMessage.outcome).where(OutboxMessage.lane == f"handoff/{product_code}")
    with app.app_context(), transactions.current().reading.connect() as connection:
        return list(connection.scalars(found.order_by(OutboxMessage.id)))


def spoil(app: Flask, which: ColumnElement[bool], payload: dict[str, str], **values: object) -> None:
    """Let those messages hold what nobody foresaw."""
    spoilt = update(OutboxMessage).where(which).values(payload=payload, **values)
    with app.app_context():
        transactions.current().write(lambda connection: connection.execute(spoilt))


def buy(app: Flask, product_code: str, name: str = "one", **answers: Any) -> UUID:
    """Let a purchase of the product, by that name, be registered; return the subscription's id."""
    return register(app, {"product_code": product_code, "license_arn": f"{ARN}{product_code}-{name}"}, **answers)

"""The senders in tests: products that reply fast or on demand, and what became of their hand-offs."""

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
from tests.support import factories
from tests.support.handoff_receiver import OK_REPLY, HandoffReceiver, Reply
from tests.support.outbox_messages import register_customer
from tests.support.personal_data import run_transaction

LICENSE_ARN_PREFIX = "arn:aws:license-manager::294406891311:license:l-"
PRODUCT_TOML = """
[products.{code}]
name = "Acme Insights"
pricing = "subscription"
sign_in_url = "https://app.acme.example/login"
support_email = "help@acme.example"
handoff_url = "{url}"
"""
WAIT_SECONDS = 10


class BlockingProduct(HandoffReceiver):
    """A product that replies to nothing until `released` is set."""

    def __init__(self, expected: int = 1) -> None:
        super().__init__(reply=self.reply_when_released)
        self.waiting_requests, self.released = threading.Semaphore(0), threading.Event()
        self.expected_requests = expected

    def reply_when_released(self, _: object) -> Reply:
        self.waiting_requests.release()
        assert self.released.wait(WAIT_SECONDS)
        return OK_REPLY

    def wait_for_requests(self) -> None:
        """Wait until the expected number of requests wait for a reply."""
        for _ in range(self.expected_requests):
            assert self.waiting_requests.acquire(timeout=WAIT_SECONDS)


class ShortStopEvent(threading.Event):
    """A stop event whose waits are short, and that records which lanes wait after a failure."""

    def __init__(self) -> None:
        super().__init__()
        self._paused_lanes = defaultdict[str, threading.Event](threading.Event)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for at most 50 ms, and record the lane that waits after a failure."""
        if timeout == senders.FAILURE_BACKOFF_SECONDS:
            self._paused_lanes[threading.current_thread().name].set()
        return super().wait(min(timeout or 0, 0.05))

    def has_paused(self, lane: str) -> bool:
        """Wait until the lane waits after a failure; return whether it did in time."""
        return self._paused_lanes[lane].wait(WAIT_SECONDS)


class FastProduct(HandoffReceiver):
    """A product that replies at once, and counts its requests in a semaphore."""

    def __init__(self) -> None:
        super().__init__(reply=self.reply_ok)
        self.received_requests = threading.Semaphore(0)

    def reply_ok(self, _: object) -> Reply:
        self.received_requests.release()
        return OK_REPLY


@contextmanager
def app_with_products(
    environment: pytest.MonkeyPatch, folder: Path, products: dict[str, str], port: int
) -> Iterator[Flask]:
    """Yield an application whose products receive hand-offs at those URLs, with a mail server on that port."""
    for name in ("CODE", "NAME", "SIGN_IN_URL"):
        environment.delenv(f"PRODUCT_{name}")
    environment.delenv("SUPPORT_EMAIL")
    (folder / "products.toml").write_text(
        "".join(PRODUCT_TOML.format(code=code, url=url) for code, url in products.items())
    )
    for name, value in {**factories.handoff_environment(""), "PRODUCTS_FILE": str(folder / "products.toml")}.items():
        environment.setenv(name, value)
    environment.delenv("PRODUCT_HANDOFF_URL")
    environment.setenv("MAIL_FROM", "start@acme.example")
    environment.setenv("SMTP_URL", f"smtp://127.0.0.1:{port}")
    with factories.open_app(create_app()) as app:
        yield app


@contextmanager
def run_senders(app: Flask, stop: threading.Event | None = None) -> Iterator[threading.Event]:
    """Run the senders as the worker does; then set the stop event, and check that every lane has ended."""
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


def is_true_in_time(condition: Callable[[], bool]) -> bool:
    """Wait until the condition is true; return whether it was in time."""
    waiting = threading.Event()
    return any(condition() or waiting.wait(0.02) for _ in range(int(WAIT_SECONDS / 0.02)))


def handoff_outcomes(app: Flask, product_code: str) -> list[str]:
    """Return the outcomes of the product's hand-offs, the oldest first."""
    outcomes = select(OutboxMessage.outcome).where(OutboxMessage.lane == f"handoff/{product_code}")
    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        return list(connection.scalars(outcomes.order_by(OutboxMessage.id)))


def corrupt_messages(app: Flask, condition: ColumnElement[bool], payload: dict[str, str], **values: object) -> None:
    """Give those messages a payload that no sender expects."""
    corruption = update(OutboxMessage).where(condition).values(payload=payload, **values)
    run_transaction(app, lambda connection: connection.execute(corruption))


def register_purchase(app: Flask, product_code: str, license_name: str = "one", **answers: Any) -> UUID:
    """Register a purchase of the product, with a license of that name; return the subscription's id."""
    license_arn = f"{LICENSE_ARN_PREFIX}{product_code}-{license_name}"
    return register_customer(app, {"product_code": product_code, "license_arn": license_arn}, **answers)

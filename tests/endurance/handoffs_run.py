"""The run in which workers are killed while they hand off what buyers and AWS's events give rise to."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from app import create_app
from app.config import handoff_endpoints
from app.database import engine
from app.models import OutboxMessage
from app.services.delivery import send_handoff as sending
from app.services.events import apply
from app.services.outbox import queue
from app.services.purchases import subscriptions
from app.services.signup import registrations
from tests.endurance.kill_runs import RunEnvironment
from tests.endurance.killable_processes import KillableProcess
from tests.support import factories, handoff_receiver
from tests.support.aws_events import eventbridge_event, minutes_after_noon, parse_event
from tests.support.factories import PRODUCT_CODE
from tests.support.handoff_receiver import HandoffReceiver, Reply, json_reply

HANDOFFS_PER_PURCHASE = 4
WORKERS = 2
BUYERS = 2
POLL_SECONDS = 0.005
TIMEOUT_SECONDS = 120
LICENSE_UPDATED, LICENSE_DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"


@dataclass(frozen=True)
class HandoffReport:
    """One run: how many hand-offs were promised, and what the product got of them.

    Lost is one that it never took, out of order one that it took before an earlier one of the same subscription.
    """

    name: str
    enqueued: int
    received: int
    accepted: int
    lost: int
    out_of_order: int
    unverified: int
    unsettled: int
    kills: int
    seconds: float

    def is_lossless(self, at_least: int) -> bool:
        """Return whether so many were promised and each was taken, in order, and the worker knows it."""
        faults = self.lost + self.out_of_order + self.unverified + self.unsettled
        return faults == 0 and self.accepted == self.enqueued >= at_least

    def __str__(self) -> str:
        counts = {name: value for name, value in vars(self).items() if name not in {"name", "seconds"}}
        figures = "  ".join(f"{name.replace('_', ' ')} {value}" for name, value in counts.items())
        return f"{self.name}: {figures}  seconds {self.seconds:.1f}"


def kill_workers_during_handoffs(stage: RunEnvironment, purchases: int, kills: int) -> HandoffReport:
    """Let so many buyers register and AWS tell of them, and so many times kill a worker that hands this off."""
    started = time.monotonic()
    with ExitStack() as stack:
        product = stack.enter_context(handoff_receiver.serve(HandoffReceiver(reply=_reply_or_refuse)))
        environment = {
            **factories.environment(stage.database_url, stage.sandbox.aws_url),
            **factories.handoff_environment(product.url),
        }
        app = stack.enter_context(_open_app(environment))
        crew = [
            KillableProcess(["flask", "--app", "wsgi", "worker"], _worker_environment(environment), stage.folder)
            for _ in range(WORKERS)
        ]
        for worker in crew:
            stack.enter_context(worker)
        buying = stack.enter_context(ThreadPoolExecutor(BUYERS))
        lives = [buying.submit(_register_and_end, app, number) for number in range(purchases)]
        for share in range(1, kills + 1):
            _wait_for_accepted(product, purchases * HANDOFFS_PER_PURCHASE * share // (kills + 2))
            worker = random.choice(crew)  # noqa: S311
            worker.kill_all()
            worker.start()
        for life in lives:
            life.result()
        _wait_for_accepted(product, purchases * HANDOFFS_PER_PURCHASE * (kills + 1) // (kills + 2))
        for worker in crew:
            worker.kill_all()
        _send_remaining(app)
        return _build_report(stage, app, product, kills, time.monotonic() - started)


def _worker_environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "FLASK_SKIP_DOTENV": "1"}


@contextmanager
def _open_app(environment: dict[str, str]) -> Iterator[Flask]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with factories.open_app(create_app()) as app:
            yield app


def _reply_or_refuse(delivery: dict[str, Any]) -> Reply:
    """Refuse one in ten for a moment; make an account for all others."""
    if random.random() < 0.1:  # noqa: S311
        return json_reply(503, {"Retry-After": "1"})
    return json_reply(reference=delivery["data"]["subscription"]["id"])


def _register_and_end(app: Flask, number: int) -> None:
    """Let one buyer register, change their mind, and have their subscription begin and end."""
    license_id = f"l-{number:032x}"
    arn = f"arn:aws:license-manager::294406891311:license:{license_id}"
    agreement = f"agmt-handed-off-{number}"
    arrived = factories.resolved(license_arn=arn, agreement_id=agreement)
    its = {
        "license": license_id,
        "agreement": agreement,
        "account": str(arrived.landing.customer.customer_aws_account_id),
    }
    with app.app_context():
        subscriptions.upsert_from_landing(arrived.landing)
        registrations.complete(arrived, factories.answers())
        apply.ingest(parse_event(eventbridge_event(LICENSE_UPDATED, minutes_after_noon(1), **its)))
        registrations.complete(arrived, factories.answers(phone=None))
        apply.ingest(parse_event(eventbridge_event(LICENSE_DEPROVISIONED, minutes_after_noon(2), **its)))


def _wait_for_accepted(product: HandoffReceiver, accepted: int) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    waiting = threading.Event()
    while len(product.accepted) < accepted:
        assert time.monotonic() < deadline, f"the product has taken {len(product.accepted)} hand-offs, not {accepted}"
        waiting.wait(POLL_SECONDS)


def _send_remaining(app: Flask) -> None:
    """Send what is left, once the leases of those that were killed, and every pause, are over."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    with app.app_context(), time_machine.travel(datetime.now(UTC)) as clock:
        to = handoff_endpoints.for_product(PRODUCT_CODE)
        assert to
        while _waiting_count():
            assert time.monotonic() < deadline, "some hand-offs are never taken"
            while claimed := queue.claim(queue.handoff_lane(PRODUCT_CODE), datetime.now(UTC)):
                sending.send(to, claimed, allow_private=True)
            clock.shift(queue.LEASE)


def _waiting_count() -> int:
    return sum(outcome == "waiting" for outcome in _stored_outcomes().values())


def _stored_outcomes() -> dict[str, str]:
    with engine.current_database().read_engine.connect() as connection:
        rows = connection.execute(select(OutboxMessage.id, OutboxMessage.outcome)).all()
    return {sending.webhook_id(row.id): row.outcome for row in rows}


def _build_report(
    stage: RunEnvironment, app: Flask, product: HandoffReceiver, kills: int, seconds: float
) -> HandoffReport:
    with app.app_context():
        outcomes = _stored_outcomes()
    orders = product.accepted_sequences()
    return HandoffReport(
        name=f"worker killed while it hands off, {stage.database_url.partition(':')[0]}",
        enqueued=len(outcomes),
        received=len(product.deliveries),
        accepted=len(product.accepted),
        lost=len(outcomes.keys() - product.accepted.keys()),
        out_of_order=sum(order != list(range(1, len(order) + 1)) for order in orders.values()),
        unverified=product.unverified_count,
        unsettled=Counter(outcomes.values()).total() - Counter(outcomes.values())["delivered"],
        kills=kills,
        seconds=seconds,
    )

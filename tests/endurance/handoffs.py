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
from app.database import transactions
from app.models import OutboxMessage
from app.services.delivery import send_handoff as sending
from app.services.events import apply
from app.services.outbox import queue
from app.services.purchases import subscriptions
from app.services.signup import registrations
from tests import factories, receiver
from tests.endurance.runs import Stage
from tests.endurance.victims import Victim
from tests.events import at, eventbridge, notice
from tests.factories import CODE
from tests.receiver import Receiver, Reply, answering

EACH = 4
WORKERS = 2
BUYERS = 2
POLL_SECONDS = 0.005
PATIENCE_SECONDS = 120
UPDATED, DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"


@dataclass(frozen=True)
class HandedOff:
    """One run: how many hand-offs were promised, and what the product got of them.

    Lost is one that it never took, out of order one that it took before an earlier one of the same subscription.
    """

    name: str
    promised: int
    came: int
    taken: int
    lost: int
    out_of_order: int
    unverified: int
    unsettled: int
    kills: int
    seconds: float

    def nothing_lost(self, at_least: int) -> bool:
        """Return whether so many were promised and each was taken, in order, and the worker knows it."""
        faults = self.lost + self.out_of_order + self.unverified + self.unsettled
        return faults == 0 and self.taken == self.promised >= at_least

    def __str__(self) -> str:
        counts = {name: value for name, value in vars(self).items() if name not in {"name", "seconds"}}
        figures = "  ".join(f"{name.replace('_', ' ')} {value}" for name, value in counts.items())
        return f"{self.name}: {figures}  seconds {self.seconds:.1f}"


def workers_killed(stage: Stage, purchases: int, kills: int) -> HandedOff:
    """Let so many buyers register and AWS tell of them, and so many times kill a worker that hands this off."""
    started = time.monotonic()
    with ExitStack() as stack:
        product = stack.enter_context(receiver.receiving(Receiver(reply=_as_products_are)))
        environment = {
            **factories.environment(stage.database_url, stage.sandbox.aws_url),
            **factories.handing_off(product.url),
        }
        app = stack.enter_context(_application(environment))
        crew = [Victim(["flask", "--app", "wsgi", "worker"], _whole(environment), stage.folder) for _ in range(WORKERS)]
        for worker in crew:
            stack.enter_context(worker)
        buying = stack.enter_context(ThreadPoolExecutor(BUYERS))
        lives = [buying.submit(_live, app, number) for number in range(purchases)]
        for share in range(1, kills + 1):
            _await(product, purchases * EACH * share // (kills + 2))
            worker = random.choice(crew)  # noqa: S311
            worker.kill_all()
            worker.start()
        for life in lives:
            life.result()
        _await(product, purchases * EACH * (kills + 1) // (kills + 2))
        for worker in crew:
            worker.kill_all()
        _send_the_rest(app)
        return _counted(stage, app, product, kills, time.monotonic() - started)


def _whole(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "FLASK_SKIP_DOTENV": "1"}


@contextmanager
def _application(environment: dict[str, str]) -> Iterator[Flask]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with factories.running(create_app()) as app:
            yield app


def _as_products_are(delivery: dict[str, Any]) -> Reply:
    """Refuse one in ten for a moment; make an account for all others."""
    if random.random() < 0.1:  # noqa: S311
        return answering(503, {"Retry-After": "1"})
    return answering(reference=delivery["data"]["subscription"]["id"])


def _live(app: Flask, number: int) -> None:
    """Let one buyer register, change their mind, and have their subscription begin and end."""
    license_id = f"l-{number:032x}"
    arn = f"arn:aws:license-manager::294406891311:license:{license_id}"
    agreement = f"agmt-handed-off-{number}"
    arrived = factories.arrived(license_arn=arn, agreement_id=agreement)
    its = {"license": license_id, "agreement": agreement, "account": str(arrived.arrival.customer.account_id)}
    with app.app_context():
        subscriptions.arrive(arrived.arrival)
        registrations.complete(arrived, factories.answers())
        apply.receive(notice(eventbridge(UPDATED, at(1), **its)))
        registrations.complete(arrived, factories.answers(phone=None))
        apply.receive(notice(eventbridge(DEPROVISIONED, at(2), **its)))


def _await(product: Receiver, taken: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    waiting = threading.Event()
    while len(product.taken) < taken:
        assert time.monotonic() < deadline, f"the product has taken {len(product.taken)} hand-offs, not {taken}"
        waiting.wait(POLL_SECONDS)


def _send_the_rest(app: Flask) -> None:
    """Send what is left, once the leases of those that were killed, and every pause, are over."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with app.app_context(), time_machine.travel(datetime.now(UTC)) as clock:
        to = handoff_endpoints.of(CODE)
        assert to
        while _waiting():
            assert time.monotonic() < deadline, "some hand-offs are never taken"
            while claimed := queue.claim(queue.lane(CODE), datetime.now(UTC)):
                sending.send(to, claimed, allow_private=True)
            clock.shift(queue.LEASE)


def _waiting() -> int:
    return sum(outcome == "waiting" for outcome in _outcomes().values())


def _outcomes() -> dict[str, str]:
    with transactions.current().reading.connect() as connection:
        rows = connection.execute(select(OutboxMessage.id, OutboxMessage.outcome)).all()
    return {sending.webhook_id(row.id): row.outcome for row in rows}


def _counted(stage: Stage, app: Flask, product: Receiver, kills: int, seconds: float) -> HandedOff:
    with app.app_context():
        outcomes = _outcomes()
    orders = product.orders()
    return HandedOff(
        name=f"worker killed while it hands off, {stage.database_url.partition(':')[0]}",
        promised=len(outcomes),
        came=len(product.came),
        taken=len(product.taken),
        lost=len(outcomes.keys() - product.taken.keys()),
        out_of_order=sum(order != list(range(1, len(order) + 1)) for order in orders.values()),
        unverified=product.unverified,
        unsettled=Counter(outcomes.values()).total() - Counter(outcomes.values())["delivered"],
        kills=kills,
        seconds=seconds,
    )

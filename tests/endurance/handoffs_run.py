"""The run in which workers are killed while they send hand-offs about buyers and events."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import time_machine
from flask import Flask
from sqlalchemy import select

from app.config import products
from app.database import transactions
from app.models import OutboxMessage
from app.services.delivery import send_handoff
from app.services.events import apply
from app.services.outbox import queue
from app.services.purchases import subscriptions
from app.services.signup import registrations
from tests.endurance import killable_processes
from tests.endurance.kill_runs import RunEnvironment
from tests.endurance.registration_report import format_figures
from tests.support import factories, handoff_receiver
from tests.support.aws_events import (
    LICENSE_DEPROVISIONED,
    LICENSE_UPDATED,
    eventbridge_event,
    minutes_after_noon,
    parse_event,
)
from tests.support.factories import PRODUCT_CODE
from tests.support.handoff_receiver import HandoffReceiver, Reply, json_reply

HANDOFFS_PER_PURCHASE = 4
WORKERS = 2
BUYERS = 2
POLL_SECONDS = 0.005
TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class HandoffReport:
    """One run: how many hand-offs were enqueued, and what the product received.

    `lost`: hand-offs the product never accepted. `out_of_order`: subscriptions whose hand-offs it accepted in another
    order than that of their sequence numbers.
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
        """Return whether at least this many were enqueued, and each was accepted in order and stored as delivered."""
        faults = self.lost + self.out_of_order + self.unverified + self.unsettled
        return faults == 0 and self.accepted == self.enqueued >= at_least

    def __str__(self) -> str:
        return format_figures(self.name, {**vars(self), "seconds": f"{self.seconds:.1f}"})


def kill_workers_during_handoffs(run: RunEnvironment, purchases: int, kills: int) -> HandoffReport:
    """Let buyers register and their subscriptions end, while workers that send the hand-offs are killed."""
    started = time.monotonic()
    with ExitStack() as stack:
        product = stack.enter_context(handoff_receiver.serve(HandoffReceiver(reply=_reply_or_refuse)))
        environment = {**run.environment, **factories.handoff_environment(product.url)}
        app = stack.enter_context(factories.open_app_in(environment))
        workers = [stack.enter_context(killable_processes.worker(environment, run.folder)) for _ in range(WORKERS)]
        buyers = stack.enter_context(ThreadPoolExecutor(BUYERS))
        signups = [buyers.submit(_register_and_end, app, number) for number in range(purchases)]
        for share in range(1, kills + 1):
            _wait_for_accepted(product, purchases * HANDOFFS_PER_PURCHASE * share // (kills + 3))
            worker = random.choice(workers)  # noqa: S311
            worker.kill_all()
            worker.start()
        for signup in signups:
            signup.result()
        _wait_for_accepted(product, purchases * HANDOFFS_PER_PURCHASE * (kills + 1) // (kills + 3))
        for worker in workers:
            worker.kill_all()
        _send_remaining(app)
        return _build_report(run, app, product, kills, time.monotonic() - started)


def _reply_or_refuse(delivery: dict[str, Any]) -> Reply:
    """Ask for a retry after 1 s in one of ten cases; reply with an account in all others."""
    if random.random() < 0.1:  # noqa: S311
        return json_reply(503, {"Retry-After": "1"})
    return json_reply(reference=delivery["data"]["subscription"]["id"])


def _register_and_end(app: Flask, number: int) -> None:
    """Let a buyer register and change the answers, and their subscription start and end: four hand-offs."""
    license_id = f"l-{number:032x}"
    arn = f"arn:aws:license-manager::294406891311:license:{license_id}"
    agreement = f"agmt-handed-off-{number}"
    purchase = factories.resolved(license_arn=arn, agreement_id=agreement)
    names = {
        "license": license_id,
        "agreement": agreement,
        "account": str(purchase.landing.customer.customer_aws_account_id),
    }
    with app.app_context():
        subscriptions.upsert_from_landing(purchase.landing)
        registrations.complete(purchase, factories.answers())
        apply.ingest(parse_event(eventbridge_event(LICENSE_UPDATED, minutes_after_noon(1), **names)))
        registrations.complete(purchase, factories.answers(phone=None))
        apply.ingest(parse_event(eventbridge_event(LICENSE_DEPROVISIONED, minutes_after_noon(2), **names)))


def _wait_for_accepted(product: HandoffReceiver, accepted: int) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    waiting = threading.Event()
    while len(product.accepted) < accepted:
        assert time.monotonic() < deadline, (
            f"the product has accepted {len(product.accepted)} hand-offs, not {accepted}"
        )
        waiting.wait(POLL_SECONDS)


def _send_remaining(app: Flask) -> None:
    """Send the remaining hand-offs, moving the clock past the leases of killed workers and every backoff."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    with app.app_context(), time_machine.travel(datetime.now(UTC)) as clock:
        endpoint = products.current().handoff_endpoints[PRODUCT_CODE]
        while _waiting_count():
            assert time.monotonic() < deadline, "some hand-offs are never accepted"
            while claimed := queue.claim(queue.handoff_lane(PRODUCT_CODE)):
                send_handoff.send(endpoint, claimed, allow_private=True)
            clock.shift(queue.LEASE)


def _waiting_count() -> int:
    return sum(outcome == "waiting" for outcome in _stored_outcomes().values())


def _stored_outcomes() -> dict[str, str]:
    with transactions.current_database().read_engine.connect() as connection:
        rows = connection.execute(select(OutboxMessage.id, OutboxMessage.outcome)).all()
    return {f"msg_{row.id.hex}": row.outcome for row in rows}


def _build_report(
    run: RunEnvironment, app: Flask, product: HandoffReceiver, kills: int, seconds: float
) -> HandoffReport:
    with app.app_context():
        outcomes = _stored_outcomes()
    sequences = product.accepted_sequences()
    return HandoffReport(
        name=f"worker killed while it sends hand-offs, {run.database_kind}",
        enqueued=len(outcomes),
        received=len(product.deliveries),
        accepted=len(product.accepted),
        lost=len(outcomes.keys() - product.accepted.keys()),
        out_of_order=sum(numbers != list(range(1, len(numbers) + 1)) for numbers in sequences.values()),
        unverified=product.unverified_count,
        unsettled=sum(outcome != "delivered" for outcome in outcomes.values()),
        kills=kills,
        seconds=seconds,
    )

"""The report on a run: what buyers saw, what was stored, and what the product was handed."""

import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import create_engine, select

from app.models import Event
from tests.endurance.registration_report import RegistrationCounts, compare_registrations, format_figures
from tests.endurance.submissions import SubmissionLog
from tests.production.stack import Stack
from tests.support import factories
from tests.support.local_tasks import Task, parse_log
from tests.support.postgresql_server import execute_statements

REGISTERED = "registration.completed"
STORED_EVENTS = select(Event.aws_id)
# What a killed worker had claimed is due again when its lease ends, after 30 seconds.
END_LEASES = "UPDATE outbox SET next_try_at = now() WHERE outcome = 'waiting' AND next_try_at IS NOT NULL"
DELIVERY_SECONDS = 120
POLL_SECONDS = 0.2
# Logged where AWS, the database or Foyer failed; a task that is killed logs nothing.
ERROR_LEVELS = {"error", "critical"}


@dataclass(frozen=True)
class HandoffCounts:
    """The hand-offs of registrations: `repeated` were sent twice with one id, after a worker was killed."""

    handed_off: int
    not_handed_off: int
    handed_off_twice: int
    repeated: int
    unverified: int


@dataclass(frozen=True)
class EventCounts:
    """AWS's events; those that a killed worker holds are still `waiting` in the queue."""

    events: int
    applied: int
    waiting: int
    events_lost: int


@dataclass(frozen=True)
class BuyerCounts:
    """What buyers saw. `gateway_errors` came from the load balancer, in the moments after a task was killed."""

    answers: int
    server_errors: int
    gateway_errors: int
    gateway_errors_without_kill: int
    cut_connections: int
    wrong: dict[str, int]


@dataclass(frozen=True)
class ProductionReport:
    """One run.

    `killed_at_timeout`: containers that did not end within their StopTimeout. `written_files`: those that a task wrote
    to its image, which is read-only on ECS.
    """

    name: str
    registrations: RegistrationCounts
    handoffs: HandoffCounts
    events: EventCounts
    buyers: BuyerCounts
    kills: int
    updates: int
    given_up: int
    tasks: int
    killed_at_timeout: int
    error_lines: int
    written_files: int
    seconds: float

    def is_lossless(self, at_least: int) -> bool:
        """Return whether at least this many registered, each was handed off once, and no buyer saw a failure.

        A request may fail that was under way to a task when it was killed.
        """
        registrations, handoffs, buyers = self.registrations, self.handoffs, self.buyers
        faults = registrations.lost + registrations.duplicates + registrations.mismatched
        faults += handoffs.not_handed_off + handoffs.handed_off_twice + handoffs.unverified + self.events.events_lost
        faults += buyers.server_errors + buyers.gateway_errors_without_kill + buyers.cut_connections + len(buyers.wrong)
        faults += self.killed_at_timeout + self.error_lines + self.written_files
        return faults == 0 and registrations.stored >= at_least

    def __str__(self) -> str:
        figures = {
            name: figure for part in asdict(self).values() if isinstance(part, dict) for name, figure in part.items()
        }
        own = {name: value for name, value in vars(self).items() if isinstance(value, int)}
        return format_figures(self.name, {**figures, **own, "seconds": f"{self.seconds:.0f}"})


def count_registrations(stack: Stack, log: SubmissionLog) -> RegistrationCounts:
    """Compare the database with what buyers were told."""
    return compare_registrations(stack.database_url, log.purchases)


def count_handoffs(stack: Stack, log: SubmissionLog) -> HandoffCounts:
    """Compare the hand-offs that the product accepted with the registrations that were acknowledged."""
    accepted = Counter(license_of(delivery) for delivery in stack.product.accepted.values() if is_first(delivery))
    wanted = {purchase.purchase.license_arn for purchase in log.purchases if purchase.acknowledged}
    return HandoffCounts(
        handed_off=sum(license_arn in accepted for license_arn in wanted),
        not_handed_off=sum(license_arn not in accepted for license_arn in wanted),
        handed_off_twice=sum(number - 1 for number in accepted.values()),
        repeated=len(stack.product.deliveries) - len(stack.product.accepted),
        unverified=stack.product.unverified_count,
    )


def is_first(delivery: dict[str, Any]) -> bool:
    """Return whether the hand-off is about a completed registration."""
    return bool(delivery["type"] == REGISTERED)


def license_of(delivery: dict[str, Any]) -> str:
    """Return the license of the hand-off's subscription."""
    return str(delivery["data"]["subscription"]["license_arn"])


def count_events(stack: Stack) -> EventCounts:
    """Compare the stored events with those that AWS sent."""
    engine = create_engine(factories.sqlalchemy_url(stack.database_url))
    with engine.connect() as connection:
        stored = set(connection.scalars(STORED_EVENTS))
    engine.dispose()
    sent = stack.sandbox.marketplace.events()
    missing = [event for event in sent if event.id not in stored]
    waiting = [event for event in missing if any(copy.state in {"queued", "in_flight"} for copy in event.copies)]
    return EventCounts(len(sent), len(sent) - len(missing), len(waiting), len(missing) - len(waiting))


def count_answers(stack: Stack, log: SubmissionLog, killed_at: list[float], blind_seconds: float) -> BuyerCounts:
    """Count what buyers saw; `killed_at` has the moments of kills, after which ECS needs a moment to see that."""
    balancer = stack.load_balancer
    gateway_errors = balancer.gateway_errors
    explained = [
        failed for failed in gateway_errors if any(0 <= failed.at - moment <= blind_seconds for moment in killed_at)
    ]
    failed_statuses = sum(number for status, number in balancer.statuses.items() if status >= 500)
    return BuyerCounts(
        answers=balancer.statuses.total(),
        server_errors=failed_statuses - len(gateway_errors),
        gateway_errors=len(gateway_errors),
        gateway_errors_without_kill=len(gateway_errors) - len(explained),
        cut_connections=len(log.cut_requests),
        wrong=dict(log.wrong_responses),
    )


def error_lines(tasks: list[Task]) -> list[dict[str, Any]]:
    """Return what the tasks have logged as an error."""
    return [line for task in tasks for line in parse_log(task.log) if line.get("level") in ERROR_LEVELS]


def wait_for_deliveries(stack: Stack, log: SubmissionLog, *, ends_leases: bool) -> None:
    """Wait until every acknowledged registration is handed off and every event is applied, for two minutes at most.

    With `ends_leases`, what a killed worker had claimed is due at once, and its events may wait in the queue.
    """
    deadline = time.monotonic() + DELIVERY_SECONDS
    while time.monotonic() < deadline:
        if ends_leases:
            execute_statements(stack.database_url, END_LEASES)
        waiting = 0 if ends_leases else count_events(stack).waiting
        if not waiting and not count_handoffs(stack, log).not_handed_off:
            return
        time.sleep(POLL_SECONDS)

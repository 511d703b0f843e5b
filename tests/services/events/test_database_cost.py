"""What an event costs the database: how many statements and transactions it takes with its review, exactly.

A number that grows here is CPU time of every event, and round trips to PostgreSQL. See docs/performance.md.
"""

import math
import threading
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.aws.queue import Queue
from app.database import transactions
from app.models import Event
from app.services.events import apply, consume, review
from tests.support import factories
from tests.support.aws_events import (
    AGREEMENT_CREATED,
    LICENSE_UPDATED,
    eventbridge_event,
    minutes_after_noon,
    parse_event,
)
from tests.support.database_cost import Cost, counted
from tests.support.events_queue import EventsQueue
from tests.support.stored_rows import all_rows

STATEMENTS = {"stored license": 7, "new license": 11, "agreement": 6, "duplicate": 1}


def event_of(purchase: int, kind: str = LICENSE_UPDATED, **overrides: Any) -> dict[str, Any]:
    names = {"agreement": f"agmt-{purchase}", "license": f"l-{purchase}", "account": f"{purchase:012}"}
    return eventbridge_event(kind, minutes_after_noon(1), **names | overrides)


def ingest_and_review(app: Flask, *bodies: dict[str, Any]) -> Cost:
    """Ingest the events, as one batch, and review what is due; return what that has cost."""
    with app.app_context(), counted(app) as cost:
        apply.ingest_all([parse_event(body) for body in bodies], math.inf)
        while review.process_next() is not None:
            pass
    return cost


def is_postgresql(app: Flask) -> bool:
    with app.app_context():
        return transactions.current_database().sqlite_writer is None


@pytest.mark.parametrize("kind", STATEMENTS)
def test_event_takes_exactly_these_statements(app: Flask, kind: str) -> None:
    first = event_of(1)
    events = {
        "stored license": event_of(1),
        "new license": event_of(2),
        "agreement": event_of(1, AGREEMENT_CREATED),
        "duplicate": first,
    }
    ingest_and_review(app, first)

    cost = ingest_and_review(app, events[kind])

    # The review finds nothing that is due, in a transaction of its own. Only PostgreSQL needs locks.
    assert cost == Cost(STATEMENTS[kind] + is_postgresql(app) + 1, 2)


def test_handoffs_add_one_statement_to_an_event(app: Flask, environment: pytest.MonkeyPatch) -> None:
    ingest_and_review(app, event_of(1))
    without = ingest_and_review(app, event_of(1))
    factories.enable_handoffs(environment)

    with factories.open_app(create_app()) as app_with_handoffs:
        cost = ingest_and_review(app_with_handoffs, event_of(1))

    # The license of the latest hand-off.
    assert (cost.statements, cost.transactions) == (without.statements + 1, without.transactions)


def test_ten_events_take_one_transaction(app: Flask) -> None:
    ingest_and_review(app, *(event_of(purchase) for purchase in range(10)))

    cost = ingest_and_review(app, *(event_of(purchase) for purchase in range(10)))

    assert cost == Cost(10 * STATEMENTS["stored license"] + is_postgresql(app) + 1, 2)


def test_messages_that_come_together_take_one_transaction(app: Flask, events_queue: EventsQueue) -> None:
    events_queue.send(*(event_of(purchase) for purchase in range(10)))
    # However slow this machine is: a transaction may take a minute.
    app.extensions["aws.queue"] = Queue(events_queue.url, visibility_seconds=3600)

    with app.app_context(), counted(app) as cost:
        consume.poll(threading.Event())

    # The other one writes the heartbeat.
    assert cost.transactions == 2
    assert len(all_rows(app, Event)) == 10


def test_contract_takes_a_review_after_its_event(app: Flask, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PRODUCT_PRICING", "contract")
    with factories.open_app(create_app()) as contract_app:
        ingest_and_review(contract_app, event_of(1))

        cost = ingest_and_review(contract_app, event_of(1))

    assert cost == Cost(21 + 2 * is_postgresql(app), 6)

"""Accepts items of usage, freezes their hours and sends them, in this process, and prints what that cost as JSON.

A program of its own: `usage_program.py SUBSCRIPTIONS DIMENSIONS ITEMS`, with the environment of an application. It also
sends hours as AWS's sample does, by its description: one query, and one call for each customer.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.aws import clients, meter_usage
from app.aws.meter_usage import UsageRecord
from app.database.transactions import current_database
from app.models import Subscription, UsageHour
from app.services.billing import freeze, send
from app.services.metering import accept, clock, quantity
from wsgi import app

BATCH_ITEMS = 1000
# The sample's calls are counted for as many customers.
SAMPLE_CUSTOMERS = 200
SECONDS_OF_ITEMS = 300


def main(subscriptions: int, dimensions: int, items: int) -> None:
    """Print the figures."""
    calls = count_calls()
    now = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
    clock.set_source(lambda: now)
    figures: dict[str, float] = {"accept_cpu": measure_cpu(lambda: accept_all(subscriptions, dimensions, items, now))}
    clock.set_source(lambda: now + timedelta(hours=1))
    figures["send_cpu"] = measure_cpu(freeze_and_send)
    figures["calls"] = len(calls)
    groups = read_hours()
    figures["groups"] = len(groups)
    figures["unbilled"] = sum(group.state != "billed" for group in groups)
    figures["sample_groups"] = send_as_the_sample(groups)
    figures["sample_calls"] = len(calls) - figures["calls"]
    figures["memory_mb"] = most_memory_mb()
    print(json.dumps(figures))


def count_calls() -> list[str]:
    """Return a list that gets an entry for each call to AWS."""
    calls: list[str] = []
    client = clients.current().metering(meter_usage.TIMEOUTS)
    client.meta.events.register("before-send.*", lambda **_: calls.append("call"))
    return calls


def measure_cpu(work: Callable[[], object]) -> float:
    """Return the seconds of CPU that the work took in this process."""
    before = time.process_time()
    work()
    return time.process_time() - before


def accept_all(subscriptions: int, dimensions: int, items: int, now: datetime) -> None:
    """Accept so many items, of the subscriptions and dimensions in turn, in batches."""
    with current_database().read_engine.connect() as connection:
        ids = [str(id_) for id_ in connection.scalars(select(Subscription.id).limit(subscriptions))]
    for first in range(0, items, BATCH_ITEMS):
        batch = [
            {
                "id": f"{now.isoformat()}-{number}",
                "subscription": ids[number // dimensions % len(ids)],
                "dimension": f"dimension_{number % dimensions}",
                "quantity": "0.125",
                "at": (now - timedelta(seconds=number % SECONDS_OF_ITEMS)).isoformat(),
            }
            for number in range(first, min(first + BATCH_ITEMS, items))
        ]
        verdicts = accept.accept(batch, None)
        assert all(verdict.verdict == "accepted" for verdict in verdicts), verdicts[0]


def most_memory_mb() -> float:
    """Return the most memory that this process had; getrusage would count its parent's before the start as well."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def freeze_and_send() -> None:
    """Do what a worker does, without its waits."""
    while freeze.freeze_due():
        pass
    pauses = send.Pauses()
    while send.send_next(pauses):
        pass


def read_hours() -> list[Any]:
    with current_database().read_engine.connect() as connection:
        table = UsageHour.__table__
        columns = (table.c.state, table.c.license_arn, table.c.dimension, table.c.quantity, table.c.timestamp)
        return list(connection.execute(select(*columns).where(table.c.state != "open")))


def send_as_the_sample(groups: list[Any]) -> int:
    """Send the hours of some customers, each customer's in one call, and return how many hours these are."""
    by_customer = defaultdict(list)
    for group in groups:
        by_customer[group.license_arn].append(group)
    sent = 0
    for arn, hours in list(by_customer.items())[:SAMPLE_CUSTOMERS]:
        records = [
            UsageRecord(hour.timestamp, hour.dimension, quantity.micros_to_text(hour.quantity), arn, "1" * 12, None)
            for hour in hours
        ]
        meter_usage.call(meter_usage.build_parameters(None, records))
        sent += len(records)
    return sent


if __name__ == "__main__":
    with app.app_context():
        main(*map(int, sys.argv[1:]))

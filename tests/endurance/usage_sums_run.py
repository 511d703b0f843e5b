"""The run in which thousands of items come over HTTP, in any order and repeated, from several senders at once."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any

import requests

from app.services.api import tokens
from sandbox.metering import dimensions
from tests.endurance import usage_run
from tests.endurance.kill_runs import RunEnvironment
from tests.endurance.usage_run import UsageReport
from tests.support import factories, metered_product
from tests.support.local_server import serve_app
from tests.support.metered_product import MeteredProduct, at

DIMENSIONS = [dimension.key for dimension in dimensions.METERED]
LICENSES = 40
SENDERS = 4
BATCH = 250
MAX_TRIES = 20
FIRST_USE, ACCEPTED_AT, SENT_BY = at("09:31"), at("13:05"), at("14:30")


def bill_repeated_items(run: RunEnvironment, items: int) -> UsageReport:
    """Send each item one to three times, and compare AWS's ledger with the sums of the different ones."""
    started = time.monotonic()
    numbers = random.Random(items)  # noqa: S311
    with _started(run) as (metered, url, token):
        made = list(_make_items(metered, numbers, items))
        sent = [item for item in made for _ in range(numbers.randint(1, 3))]
        numbers.shuffle(sent)
        batches = [sent[first : first + BATCH] for first in range(0, len(sent), BATCH)]
        with ThreadPoolExecutor(SENDERS) as senders:
            for accepted in senders.map(partial(_post, url, token), batches):
                metered.accepted |= accepted
        metered.work_until(SENT_BY)
        name = f"usage in any order and repeated, {run.database_kind}"
        return usage_run.build_report(name, metered, Counter(), time.monotonic() - started)


@contextmanager
def _started(run: RunEnvironment) -> Iterator[tuple[MeteredProduct, str, str]]:
    with ExitStack() as stack:
        run.sandbox.reset()
        app = stack.enter_context(factories.open_app_in(run.environment))
        metered = stack.enter_context(metered_product.open_product(app, run.sandbox))
        _, token = tokens.create("endurance", None, "operator", ("usage:write",))
        yield metered, stack.enter_context(serve_app(app)), token


def _make_items(metered: MeteredProduct, numbers: random.Random, count: int) -> Iterator[dict[str, Any]]:
    purchases = [metered.buy() for _ in range(LICENSES)]
    metered.set_clock(ACCEPTED_AT)
    seconds = int((ACCEPTED_AT - FIRST_USE) / timedelta(seconds=1))
    for _ in range(count):
        yield metered.item(
            numbers.choice(purchases),
            f"{numbers.randrange(10**6)}.{numbers.randrange(1, 10**6):06d}",
            dimension=numbers.choice(DIMENSIONS),
            at=FIRST_USE + timedelta(seconds=numbers.randrange(seconds)),
        )


def _post(url: str, token: str, items: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Send the items until they have verdicts, and return those that were accepted by their ids."""
    for _ in range(MAX_TRIES):
        response = requests.post(
            f"{url}/api/v1/usage", json=list(items), headers={"Authorization": f"Bearer {token}"}, timeout=60
        )
        # All senders have usage of the same hours: one may wait for longer than a request may.
        if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
            verdicts = zip(items, response.json()["items"], strict=True)
            return {item["id"]: item for item, verdict in verdicts if verdict["verdict"] == "accepted"}
    raise AssertionError(f"no verdict in {MAX_TRIES} tries")

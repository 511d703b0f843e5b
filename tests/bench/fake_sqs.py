"""An SQS queue that costs almost no CPU time: ten messages are always ready, until a given number is received."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import md5
from itertools import count, cycle
from typing import Any
from uuid import uuid4

from tests.bench.fake_aws import PRODUCT_CODE, account_id
from tests.support.aws_events import AGREEMENT_CREATED, LICENSE_UPDATED, eventbridge_event
from tests.support.aws_http_server import AwsHttpServer

# The kinds of twenty events: about a stored license, a new license or a stored agreement, or the last event once more.
EVENT_MIX = ("stored",) * 7 + ("new", "agreement") + ("stored",) * 7 + ("agreement", "new", "agreement", "duplicate")
# So many stored subscriptions get events, whatever else is stored: their histories are then of one length.
SUBSCRIPTIONS_WITH_EVENTS = 1_000
EMPTY_RECEIVE_SECONDS = 0.1
DELETE_TIMEOUT_SECONDS = 120


def subscription_name(number: int) -> str:
    """Return the part that differs in a stored subscription's ids. Like AWS's ids, these are in random order."""
    return md5(str(number).encode(), usedforsecurity=False).hexdigest()


def event_bodies(subscriptions: int) -> Iterator[str]:
    """Yield the bodies of events without end, about stored subscriptions and some new ones.

    The stored ones are taken in turn from the whole table. Each event names the account that its subscription has.
    """
    numbers = cycle(range(0, subscriptions, max(subscriptions // SUBSCRIPTIONS_WITH_EVENTS, 1)))
    body = ""
    for kind in cycle(EVENT_MIX):
        if kind != "duplicate":
            name = uuid4().hex if kind == "new" else subscription_name(next(numbers))
            ids = {"agreement": f"agmt-{name}", "license": f"l-{name}", "code": PRODUCT_CODE}
            detail_type = AGREEMENT_CREATED if kind == "agreement" else LICENSE_UPDATED
            body = json.dumps(eventbridge_event(detail_type, datetime.now(UTC), account=account_id(name), **ids))
        yield body


class FakeQueue:
    """A queue for one worker."""

    def __init__(self, subscriptions: int) -> None:
        self.server = AwsHttpServer(self._respond)
        self._bodies = event_bodies(subscriptions)
        self._ids = count()
        self._undelivered = self._undeleted = 0
        self._first_received = self._last_deleted = 0.0

    def deliver(self, messages: int) -> float:
        """Deliver this many messages; return the seconds from the first receipt to the last deletion."""
        self._first_received, self._undeleted, self._undelivered = 0, messages, messages
        deadline = time.monotonic() + DELETE_TIMEOUT_SECONDS
        while self._undeleted:
            assert time.monotonic() < deadline, f"{self._undeleted} messages have not been deleted"
            time.sleep(0.01)
        return self._last_deleted - self._first_received

    def _respond(self, head: bytes, body: bytes) -> tuple[float, bytes]:
        if b"AmazonSQS.DeleteMessageBatch" in head:
            self._last_deleted = time.perf_counter()
            self._undeleted -= len(json.loads(body)["Entries"])
            return 0, b'{"Successful":[]}'
        delivered = min(self._undelivered, 10)
        if not delivered:
            return EMPTY_RECEIVE_SECONDS, b"{}"
        self._first_received = self._first_received or time.perf_counter()
        self._undelivered -= delivered
        return 0, json.dumps({"Messages": [self._message() for _ in range(delivered)]}).encode()

    def _message(self) -> dict[str, Any]:
        number = str(next(self._ids))
        attributes = {"SentTimestamp": str(int(time.time() * 1000))}
        return {"MessageId": number, "ReceiptHandle": number, "Body": next(self._bodies), "Attributes": attributes}

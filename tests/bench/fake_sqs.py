"""An SQS queue that costs next to nothing: it always has ten messages ready, until so many have been taken."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import md5
from itertools import count, cycle
from typing import Any
from uuid import uuid4

from tests.bench.fake_aws import PRODUCT_CODE
from tests.support.aws_events import eventbridge_event
from tests.support.aws_http_server import ThreadedServer

LICENSE_UPDATED, AGREEMENT_CREATED = "License Updated - Manufacturer", "Purchase Agreement Created - Proposer"
# Of each twenty: a license that is known, a new one, an agreement that is known, and one that came before.
EVENT_MIX = ("known",) * 7 + ("new", "agreement") + ("known",) * 7 + ("agreement", "new", "agreement", "double")
EMPTY_RECEIVE_SECONDS = 0.1
DELETE_TIMEOUT_SECONDS = 120


def subscription_name(number: int) -> str:
    """Return what the stored subscription of that number has in its names: in no order, as AWS's own."""
    return md5(str(number).encode(), usedforsecurity=False).hexdigest()


def event_bodies(subscriptions: int) -> Iterator[str]:
    """Yield the bodies of events without end: about stored subscriptions in turn, and some others."""
    numbers = cycle(range(subscriptions))
    body = ""
    for kind in cycle(EVENT_MIX):
        if kind != "double":
            its_name = uuid4().hex if kind == "new" else subscription_name(next(numbers))
            about = {"agreement": f"agmt-{its_name}", "license": f"l-{its_name}", "code": PRODUCT_CODE}
            body = json.dumps(
                eventbridge_event(
                    AGREEMENT_CREATED if kind == "agreement" else LICENSE_UPDATED, datetime.now(UTC), **about
                )
            )
        yield body


class FakeQueue:
    """A queue for one worker."""

    def __init__(self, subscriptions: int) -> None:
        self.server = ThreadedServer(self._respond)
        self._bodies = event_bodies(subscriptions)
        self._ids = count()
        self._undelivered = self._undeleted = 0
        self._first_received = self._last_deleted = 0.0

    def deliver(self, messages: int) -> float:
        """Give so many messages, and return the seconds from the first's receiving to the last's deletion."""
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
        taken = min(self._undelivered, 10)
        if not taken:
            return EMPTY_RECEIVE_SECONDS, b"{}"
        self._first_received = self._first_received or time.perf_counter()
        self._undelivered -= taken
        return 0, json.dumps({"Messages": [self._message() for _ in range(taken)]}).encode()

    def _message(self) -> dict[str, Any]:
        number = str(next(self._ids))
        sent = {"SentTimestamp": str(int(time.time() * 1000))}
        return {"MessageId": number, "ReceiptHandle": number, "Body": next(self._bodies), "Attributes": sent}

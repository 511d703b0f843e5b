"""An SQS queue that costs next to nothing: it always has ten messages ready, until so many have been taken."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import md5
from itertools import count, cycle
from typing import Any
from uuid import uuid4

from tests.bench.endpoint import Served
from tests.bench.fake_aws import PRODUCT_CODE
from tests.events import eventbridge

UPDATED, CREATED = "License Updated - Manufacturer", "Purchase Agreement Created - Proposer"
# Of each twenty: a license that is known, a new one, an agreement that is known, and one that came before.
MIX = ("known",) * 7 + ("new", "agreement") + ("known",) * 7 + ("agreement", "new", "agreement", "double")
EMPTY_SECONDS = 0.1
GIVE_UP_SECONDS = 120


def name(number: int) -> str:
    """Return what the stored subscription of that number has in its names: in no order, as AWS's own."""
    return md5(str(number).encode(), usedforsecurity=False).hexdigest()


def messages(subscriptions: int) -> Iterator[str]:
    """Yield the bodies of events without end: about stored subscriptions in turn, and some others."""
    numbers = cycle(range(subscriptions))
    body = ""
    for kind in cycle(MIX):
        if kind != "double":
            its_name = uuid4().hex if kind == "new" else name(next(numbers))
            about = {"agreement": f"agmt-{its_name}", "license": f"l-{its_name}", "code": PRODUCT_CODE}
            body = json.dumps(eventbridge(CREATED if kind == "agreement" else UPDATED, datetime.now(UTC), **about))
        yield body


class Feed:
    """A queue for one worker."""

    def __init__(self, subscriptions: int) -> None:
        self.served = Served(self._answer)
        self._bodies = messages(subscriptions)
        self._ids = count()
        self._to_give = self._not_deleted = 0
        self._first = self._last = 0.0

    def give(self, messages: int) -> float:
        """Give so many messages, and return the seconds from the first's receiving to the last's deletion."""
        self._first, self._not_deleted, self._to_give = 0, messages, messages
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while self._not_deleted:
            assert time.monotonic() < deadline, f"{self._not_deleted} messages have not been deleted"
            time.sleep(0.01)
        return self._last - self._first

    def _answer(self, head: bytes, body: bytes) -> tuple[float, bytes]:
        if b"AmazonSQS.DeleteMessageBatch" in head:
            self._last = time.perf_counter()
            self._not_deleted -= len(json.loads(body)["Entries"])
            return 0, b'{"Successful":[]}'
        taken = min(self._to_give, 10)
        if not taken:
            return EMPTY_SECONDS, b"{}"
        self._first = self._first or time.perf_counter()
        self._to_give -= taken
        return 0, json.dumps({"Messages": [self._message() for _ in range(taken)]}).encode()

    def _message(self) -> dict[str, Any]:
        number = str(next(self._ids))
        sent = {"SentTimestamp": str(int(time.time() * 1000))}
        return {"MessageId": number, "ReceiptHandle": number, "Body": next(self._bodies), "Attributes": sent}

"""The buyers: a new one comes at each interval, whatever became of those before, and each answer is timed."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from sandbox.server import Sandbox
from tests.endurance.browser import Browser, ConnectionCut, PageResponse
from tests.endurance.buyer_load import CSRF_FIELD
from tests.endurance.submissions import PurchaseSubmissions, SubmissionLog, create_purchase, unique_answers
from tests.support import factories

VISITS_PER_SECOND = 5
# More than can be under way where each takes as long as a browser waits.
MAX_UNDER_WAY = 256
UNAVAILABLE_STATUS = 503


@dataclass
class Visit:
    """One buyer's landing, form and submit. It ends early with a page that says to try again (503).

    `answer_seconds` has the time of each answer, and of the wait for one that never came.
    """

    address: str
    answer_seconds: list[float] = field(default_factory=list)
    is_finished: bool = False

    @property
    def seconds(self) -> float:
        """How long the buyer waited in all."""
        return sum(self.answer_seconds)


class VisitFlow:
    """Visits that begin at an even pace for the time of a `with` block, whose end waits for the last of them."""

    def __init__(self, port: int, sandbox: Sandbox) -> None:
        self.log = SubmissionLog()
        self.visits: list[Visit] = []
        self._port, self._sandbox = port, sandbox
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._buyers = ThreadPoolExecutor(MAX_UNDER_WAY, "buyer")
        self._clock = threading.Thread(target=self._begin_visits, name="visits")

    def run_for(self, seconds: float) -> None:
        """Let the buyers come for so long."""
        self._stopped.wait(seconds)

    def __enter__(self) -> Self:
        self._clock.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._clock.join()
        self._buyers.shutdown()

    def _begin_visits(self) -> None:
        next_at = time.monotonic()
        while not self._stopped.wait(max(next_at - time.monotonic(), 0)):
            number = len(self.visits)
            # Of a range for benchmarks: no two buyers share an address.
            visit, purchase = Visit(f"198.18.{number // 256}.{number % 256}"), create_purchase(self._sandbox)
            self.visits.append(visit)
            self.log.purchases.append(purchase)
            self._buyers.submit(self._make, visit, purchase)
            next_at += 1 / VISITS_PER_SECOND

    def _make(self, visit: Visit, purchase: PurchaseSubmissions) -> None:
        with closing(Browser(self._port, address=visit.address)) as browser, suppress(ConnectionCut):
            landing = _timed(visit, browser, lambda: browser.post("/", {factories.TOKEN_FIELD: purchase.token}))
            if self._may_go_on("landing", landing, 303, "/signup"):
                form = _timed(visit, browser, lambda: browser.get("/signup"))
                if self._may_go_on("form", form, 200, ""):
                    self._submit(visit, browser, purchase, form.page)
            visit.is_finished = True

    def _submit(self, visit: Visit, browser: Browser, purchase: PurchaseSubmissions, page: str) -> None:
        csrf_field = CSRF_FIELD.search(page)
        submission, fields = purchase.new_submission(unique_answers(), csrf_field[1] if csrf_field else "")
        response = None
        try:
            response = _timed(visit, browser, lambda: browser.post("/signup", fields))
        finally:
            is_acknowledged = submission.record_response(response)
        self._may_go_on("submit", response, 303, "/welcome")
        with self._lock:
            self.log.acknowledged += is_acknowledged

    def _may_go_on(self, step: str, response: PageResponse, status: int, location: str) -> bool:
        is_expected = (response.status, response.location) == (status, location)
        with self._lock:
            if response.status == UNAVAILABLE_STATUS:
                self.log.unavailable += 1
            elif not is_expected:
                self.log.wrong_responses[f"{step}: {response.status} {response.location}".strip()] += 1
        return is_expected


def _timed(visit: Visit, browser: Browser, request: Callable[[], PageResponse]) -> PageResponse:
    # A server may close an idle connection at any time; a browser then connects again without a word.
    browser.close()
    started = time.monotonic()
    try:
        return request()
    finally:
        visit.answer_seconds.append(time.monotonic() - started)

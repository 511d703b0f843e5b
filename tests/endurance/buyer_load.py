"""The load: buyers in threads who land, sign up, press again where that is offered, and note what they were told."""

import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import cycle
from types import TracebackType
from typing import Self

from app.services.signup.registrations import Answers
from sandbox.server import Sandbox
from tests.endurance.browser import Browser, ConnectionCut, PageResponse
from tests.endurance.submissions import PurchaseSubmissions, SubmissionLog, create_purchase, unique_answers
from tests.support import factories

CSRF_FIELD = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')
RETRY_SECONDS = 0.1
# Of several who share a purchase, the first one's answers stand, and the others are told.
CONFLICT_STATUS = 409
TIMEOUT_SECONDS = 30


class BuyerLoad:
    """Buyers who come one after another between `with` and its end, which waits until each has been served.

    `sharing` says, in turn, how many browsers sign up for the same purchase at once; `times` how often each
    of them sends the form.
    """

    def __init__(
        self, port: int, sandbox: Sandbox, *, buyers: int = 16, sharing: tuple[int, ...] = (1, 1, 3), times: int = 1
    ) -> None:
        self.submission_log = SubmissionLog()
        self._port, self._sandbox, self._times = port, sandbox, times
        self._purchases = self._shared_purchases(sharing)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads = ThreadPoolExecutor(buyers)
        self._buyers: list[Future[None]] = []
        self._action_due_at = math.inf
        self._action: Callable[[], object] = _no_action
        self._action_done = threading.Event()
        self._buyer_count = buyers

    def run_after_acknowledged(self, after: int, action: Callable[[], object]) -> None:
        """Strike the blow in the very moment in which a buyer learns of the acknowledgement that is so many ahead."""
        with self._lock:
            self._action_done.clear()
            self._action_due_at, self._action = self.submission_log.acknowledged + after, action
        assert self._action_done.wait(TIMEOUT_SECONDS), (
            f"nothing more was acknowledged; wrong: {self.submission_log.wrong_responses}"
        )

    def wait_for_acknowledged(self, more: int) -> None:
        """Wait until so many more submits are acknowledged."""
        self.run_after_acknowledged(more, _no_action)

    def __enter__(self) -> Self:
        self._buyers = [self._threads.submit(self._run_buyer) for _ in range(self._buyer_count)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._threads.shutdown()
        if error is None:
            for buyer in self._buyers:
                buyer.result()

    def _shared_purchases(self, sharing: tuple[int, ...]) -> Iterator[PurchaseSubmissions]:
        for browsers in cycle(sharing):
            bought = create_purchase(self._sandbox)
            self.submission_log.purchases.append(bought)
            for _ in range(browsers):
                yield bought

    def _run_buyer(self) -> None:
        while not self._stopped.is_set():
            with self._lock:
                bought = next(self._purchases)
            with closing(Browser(self._port)) as browser:
                self._sign_up(browser, bought)

    def _sign_up(self, browser: Browser, bought: PurchaseSubmissions) -> None:
        landed = self._retry_until_answered(browser, lambda: browser.post("/", {factories.TOKEN_FIELD: bought.token}))
        if not self._check_response(landed, "landing", 303, "/signup"):
            return
        shown = self._retry_until_answered(browser, lambda: browser.get("/signup"))
        if secret := CSRF_FIELD.search(shown.page):
            bought.csrf_token = secret[1]
        elif not self._check_response(shown, "form", 303, "/welcome"):
            return
        for _ in range(self._times):
            # Who presses again after a cut line sends what they have typed, not something else.
            answers = unique_answers()
            sent = self._retry_until_answered(browser, partial(self._submit, browser, bought, answers))
            if sent.status == CONFLICT_STATUS or not self._check_response(sent, "submit", 303, "/welcome"):
                return
        self._check_response(self._retry_until_answered(browser, lambda: browser.get("/welcome")), "welcome", 200, "")

    def _submit(self, browser: Browser, bought: PurchaseSubmissions, answers: Answers) -> PageResponse:
        submit, fields = bought.new_submission(answers)
        answer = None
        try:
            answer = browser.post("/signup", fields)
        finally:
            told = submit.record_response(answer)
        if told:
            self._record_acknowledged()
        return answer

    def _record_acknowledged(self) -> None:
        with self._lock:
            self.submission_log.acknowledged += 1
            due = self.submission_log.acknowledged >= self._action_due_at
            # One buyer strikes; the others of this moment go on.
            self._action_due_at = math.inf if due else self._action_due_at
        if due:
            self._action()
            self._action_done.set()

    def _retry_until_answered(self, browser: Browser, ask: Callable[[], PageResponse]) -> PageResponse:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = ask()
            except ConnectionCut:
                self.submission_log.cut_requests.append((browser.sent_at, time.monotonic()))
                continue
            if answer.status != 503:
                return answer
            with self._lock:
                self.submission_log.unavailable += 1
            # A buyer reads the page before the press on its button.
            time.sleep(RETRY_SECONDS)
        raise AssertionError(f"a buyer was not served within {TIMEOUT_SECONDS} seconds")

    def _check_response(self, answer: PageResponse, step: str, status: int, location: str) -> bool:
        right = (answer.status, answer.location) == (status, location)
        if not right:
            with self._lock:
                self.submission_log.wrong_responses[f"{step}: {answer.status} {answer.location}".strip()] += 1
        return right


def _no_action() -> None:
    """Strike no blow."""

"""The load: buyers in threads, who land, sign up, retry after a 503 and record what was acknowledged."""

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
# If several buyers share a purchase, the first one's answers are stored; the others get this status.
CONFLICT_STATUS = 409
TIMEOUT_SECONDS = 30
# Foyer's own, and those with which a load balancer answers for a target that does not.
UNAVAILABLE_STATUSES = {502, 503, 504}


class BuyerLoad:
    """Buyers who sign up one after another for the time of a `with` block, whose end waits for the last of them.

    The items of `sharing` are, in turn, how many browsers sign up for the same purchase at once. Each browser sends
    the form `times` times. `pause` is how many seconds pass between one buyer and the next; `host` is the site's name.
    """

    def __init__(
        self,
        port: int,
        sandbox: Sandbox,
        *,
        buyers: int = 16,
        sharing: tuple[int, ...] = (1, 1, 3),
        times: int = 1,
        pause: float = 0,
        host: str | None = None,
    ) -> None:
        self.submission_log = SubmissionLog()
        self._port, self._sandbox, self._times = port, sandbox, times
        self._pause, self._host = pause, host
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
        """Call `action` at the moment a buyer receives the `after`-th acknowledgement from now."""
        with self._lock:
            self._action_done.clear()
            self._action_due_at, self._action = self.submission_log.acknowledged + after, action
        assert self._action_done.wait(TIMEOUT_SECONDS), (
            f"nothing more was acknowledged; wrong: {self.submission_log.wrong_responses}"
        )

    def wait_for_acknowledged(self, more: int) -> None:
        """Wait until this many more submissions are acknowledged."""
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
            submissions = create_purchase(self._sandbox)
            self.submission_log.purchases.append(submissions)
            for _ in range(browsers):
                yield submissions

    def _run_buyer(self) -> None:
        while not self._stopped.wait(self._pause):
            with self._lock:
                submissions = next(self._purchases)
            with closing(Browser(self._port, host=self._host)) as browser:
                self._sign_up(browser, submissions)

    def _sign_up(self, browser: Browser, submissions: PurchaseSubmissions) -> None:
        landing = self._retry_until_answered(
            browser, lambda: browser.post("/", {factories.TOKEN_FIELD: submissions.token})
        )
        if not self._check_response(landing, "landing", 303, "/signup"):
            return
        form = self._retry_until_answered(browser, lambda: browser.get("/signup"))
        if field := CSRF_FIELD.search(form.page):
            submissions.csrf_token = field[1]
        elif not self._check_response(form, "form", 303, "/welcome"):
            return
        # Another browser with the purchase may have seen it pending: its form is not valid here.
        csrf_token = field[1] if field else submissions.csrf_token
        for _ in range(self._times):
            # A buyer who presses the button again after a cut sends the same answers.
            answers = unique_answers()
            response = self._retry_until_answered(
                browser, partial(self._submit, browser, submissions, answers, csrf_token)
            )
            if response.status == CONFLICT_STATUS or not self._check_response(response, "submit", 303, "/welcome"):
                return
        self._check_response(self._retry_until_answered(browser, lambda: browser.get("/welcome")), "welcome", 200, "")

    def _submit(
        self, browser: Browser, submissions: PurchaseSubmissions, answers: Answers, csrf_token: str
    ) -> PageResponse:
        submission, fields = submissions.new_submission(answers, csrf_token)
        response = None
        try:
            response = browser.post("/signup", fields)
        finally:
            is_acknowledged = submission.record_response(response)
        if is_acknowledged:
            self._record_acknowledged()
        return response

    def _record_acknowledged(self) -> None:
        with self._lock:
            self.submission_log.acknowledged += 1
            is_due = self.submission_log.acknowledged >= self._action_due_at
            # Only one buyer's thread runs the action.
            self._action_due_at = math.inf if is_due else self._action_due_at
        if is_due:
            self._action()
            self._action_done.set()

    def _retry_until_answered(self, browser: Browser, request: Callable[[], PageResponse]) -> PageResponse:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            try:
                response = request()
            except ConnectionCut:
                self.submission_log.cut_requests.append((browser.sent_at, time.monotonic()))
                continue
            if response.status not in UNAVAILABLE_STATUSES:
                return response
            with self._lock:
                self.submission_log.unavailable += 1
            # A buyer reads the page before pressing its button.
            time.sleep(RETRY_SECONDS)
        raise AssertionError(f"a buyer was not served within {TIMEOUT_SECONDS} seconds")

    def _check_response(self, response: PageResponse, step: str, status: int, location: str) -> bool:
        is_expected = (response.status, response.location) == (status, location)
        if not is_expected:
            with self._lock:
                self.submission_log.wrong_responses[f"{step}: {response.status} {response.location}".strip()] += 1
        return is_expected


def _no_action() -> None:
    pass

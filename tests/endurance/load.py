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
from tests import factories
from tests.endurance.browser import Answer, Browser, Cut
from tests.endurance.ledger import Bought, Ledger, buy, new_answers

FORM_SECRET = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')
PRESS_AGAIN_SECONDS = 0.1
# Of several who share a purchase, the first one's answers stand, and the others are told.
SOMEBODY_ELSES = 409
PATIENCE_SECONDS = 30


class Load:
    """Buyers who come one after another between `with` and its end, which waits until each has been served.

    `sharing` says, in turn, how many browsers sign up for the same purchase at once; `times` how often each
    of them sends the form.
    """

    def __init__(
        self, port: int, sandbox: Sandbox, *, buyers: int = 16, sharing: tuple[int, ...] = (1, 1, 3), times: int = 1
    ) -> None:
        self.ledger = Ledger()
        self._port, self._sandbox, self._times = port, sandbox, times
        self._purchases = self._bought(sharing)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = ThreadPoolExecutor(buyers)
        self._buyers: list[Future[None]] = []
        self._due = math.inf
        self._blow: Callable[[], object] = _nothing
        self._struck = threading.Event()
        self._count = buyers

    def strike(self, after: int, blow: Callable[[], object]) -> None:
        """Strike the blow in the very moment in which a buyer learns of the acknowledgement that is so many ahead."""
        with self._lock:
            self._struck.clear()
            self._due, self._blow = self.ledger.acknowledged + after, blow
        assert self._struck.wait(PATIENCE_SECONDS), f"nothing more was acknowledged; wrong: {self.ledger.wrong}"

    def await_acknowledged(self, more: int) -> None:
        """Wait until so many more submits are acknowledged."""
        self.strike(more, _nothing)

    def __enter__(self) -> Self:
        self._buyers = [self._threads.submit(self._come_and_go) for _ in range(self._count)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._threads.shutdown()
        if error is None:
            for buyer in self._buyers:
                buyer.result()

    def _bought(self, sharing: tuple[int, ...]) -> Iterator[Bought]:
        for browsers in cycle(sharing):
            bought = buy(self._sandbox)
            self.ledger.purchases.append(bought)
            for _ in range(browsers):
                yield bought

    def _come_and_go(self) -> None:
        while not self._over.is_set():
            with self._lock:
                bought = next(self._purchases)
            with closing(Browser(self._port)) as browser:
                self._sign_up(browser, bought)

    def _sign_up(self, browser: Browser, bought: Bought) -> None:
        landed = self._persist(browser, lambda: browser.post("/", {factories.TOKEN: bought.token}))
        if not self._is_right(landed, "landing", 303, "/signup"):
            return
        shown = self._persist(browser, lambda: browser.get("/signup"))
        if secret := FORM_SECRET.search(shown.page):
            bought.form_secret = secret[1]
        elif not self._is_right(shown, "form", 303, "/welcome"):
            return
        for _ in range(self._times):
            # Who presses again after a cut line sends what they have typed, not something else.
            answers = new_answers()
            sent = self._persist(browser, partial(self._submit, browser, bought, answers))
            if sent.status == SOMEBODY_ELSES or not self._is_right(sent, "submit", 303, "/welcome"):
                return
        self._is_right(self._persist(browser, lambda: browser.get("/welcome")), "welcome", 200, "")

    def _submit(self, browser: Browser, bought: Bought, answers: Answers) -> Answer:
        submit, fields = bought.send(answers)
        answer = None
        try:
            answer = browser.post("/signup", fields)
        finally:
            told = submit.end(answer)
        if told:
            self._learn()
        return answer

    def _learn(self) -> None:
        with self._lock:
            self.ledger.acknowledged += 1
            due = self.ledger.acknowledged >= self._due
            # One buyer strikes; the others of this moment go on.
            self._due = math.inf if due else self._due
        if due:
            self._blow()
            self._struck.set()

    def _persist(self, browser: Browser, ask: Callable[[], Answer]) -> Answer:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = ask()
            except Cut:
                self.ledger.cuts.append((browser.sent, time.monotonic()))
                continue
            if answer.status != 503:
                return answer
            with self._lock:
                self.ledger.refused += 1
            # A buyer reads the page before the press on its button.
            time.sleep(PRESS_AGAIN_SECONDS)
        raise AssertionError(f"a buyer was not served within {PATIENCE_SECONDS} seconds")

    def _is_right(self, answer: Answer, step: str, status: int, location: str) -> bool:
        right = (answer.status, answer.location) == (status, location)
        if not right:
            with self._lock:
                self.ledger.wrong[f"{step}: {answer.status} {answer.location}".strip()] += 1
        return right


def _nothing() -> None:
    """Strike no blow."""

"""Records the forms that buyers sent for each purchase, and which of them Foyer acknowledged."""

import math
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count

from app.services.signup.registrations import Answers
from sandbox.purchases import Order, Purchase
from sandbox.server import Sandbox
from tests.endurance.browser import PageResponse
from tests.support import factories

serial_numbers = count(1)


@dataclass
class Submission:
    """One sent form: when it started, when its response came or its connection was cut, and if it was acknowledged."""

    answers: Answers
    started_at: float = field(default_factory=time.monotonic)
    ended_at: float = math.inf
    acknowledged: bool = False

    def record_response(self, response: PageResponse | None) -> bool:
        """Record the response, None after a cut; return whether it acknowledged the answers."""
        self.ended_at = time.monotonic()
        self.acknowledged = response is not None and (response.status, response.location) == (303, "/welcome")
        return self.acknowledged


@dataclass
class PurchaseSubmissions:
    """One purchase: its registration token, the CSRF token of its latest form, and every form sent for it."""

    purchase: Purchase
    token: str
    csrf_token: str = ""
    submissions: list[Submission] = field(default_factory=list)

    def new_submission(self, answers: Answers, csrf_token: str) -> tuple[Submission, dict[str, str]]:
        """Record a new submission; return it and the fields of its form."""
        submission = Submission(answers)
        self.submissions.append(submission)
        fields = {name: value or "" for name, value in vars(answers).items()}
        return submission, {**fields, "csrf_token": csrf_token}

    @property
    def acknowledged(self) -> bool:
        """Whether a submission of any buyer was acknowledged."""
        return any(submission.acknowledged for submission in self.submissions)

    def acceptable_answers(self) -> list[Answers]:
        """Return the answers that may be stored now.

        An acknowledged submission replaces those that ended before it started. The order of concurrent ones is open.
        """
        started = [submission.started_at for submission in self.submissions if submission.acknowledged]
        last_started = max(started, default=-math.inf)
        return [submission.answers for submission in self.submissions if submission.ended_at > last_started]


@dataclass
class SubmissionLog:
    """What happened to one load's buyers; `cut_requests` has when each cut request was sent and when it was cut."""

    purchases: list[PurchaseSubmissions] = field(default_factory=list)
    acknowledged: int = 0
    unavailable: int = 0
    cut_requests: list[tuple[float, float]] = field(default_factory=list)
    wrong_responses: Counter[str] = field(default_factory=Counter)

    def filter_cuts(self, moments: list[float]) -> None:
        """Keep only the cut requests that were under way at one of these moments."""
        self.cut_requests = [
            (sent, cut) for sent, cut in self.cut_requests if any(sent <= moment < cut for moment in moments)
        ]


def create_purchase(sandbox: Sandbox) -> PurchaseSubmissions:
    """Buy, and return the purchase with a registration token and no submission."""
    purchase = sandbox.marketplace.buy(Order(product_code=factories.PRODUCT_CODE))
    return PurchaseSubmissions(purchase, sandbox.marketplace.mint_token(purchase))


def unique_answers() -> Answers:
    """Return answers that no other call returns."""
    number = next(serial_numbers)
    return Answers(
        company=f"Company {number}",
        full_name=f"Buyer {number}",
        email=f"buyer-{number}@example.com",
        phone=None if number % 3 else f"+1 555 {number:07}",
        notes=None if number % 2 else f"Line one of {number}\n{'and more ' * (number % 50)}end",
    )

"""What buyers have sent for each purchase, and which of it was acknowledged."""

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
    """One form that was sent: when it began, when its answer came or its connection ended, and whether it counts."""

    answers: Answers
    started_at: float = field(default_factory=time.monotonic)
    ended_at: float = math.inf
    acknowledged: bool = False

    def record_response(self, answer: PageResponse | None) -> bool:
        """Note the answer, or that there is none, and return whether the answers were acknowledged."""
        self.ended_at = time.monotonic()
        self.acknowledged = answer is not None and (answer.status, answer.location) == (303, "/welcome")
        return self.acknowledged


@dataclass
class PurchaseSubmissions:
    """One purchase: its registration token, the secret of its form, and every form sent for it."""

    purchase: Purchase
    token: str
    csrf_token: str = ""
    submissions: list[Submission] = field(default_factory=list)

    def new_submission(self, answers: Answers) -> tuple[Submission, dict[str, str]]:
        """Return a new submit, and the form's fields with its answers."""
        submit = Submission(answers)
        self.submissions.append(submit)
        fields = {name: value or "" for name, value in vars(submit.answers).items()}
        return submit, {**fields, "csrf_token": self.csrf_token}

    @property
    def acknowledged(self) -> bool:
        """Whether any buyer has been told that the answers are kept."""
        return any(submit.acknowledged for submit in self.submissions)

    def acceptable_answers(self) -> list[Answers]:
        """Return the answers that may be stored now: those that no acknowledged submit, begun later, replaced."""
        last = max((submit.started_at for submit in self.submissions if submit.acknowledged), default=-math.inf)
        return [submit.answers for submit in self.submissions if submit.ended_at > last]


@dataclass
class SubmissionLog:
    """All that one load's buyers did and met: submits by outcome, and when each cut request was sent and was cut."""

    purchases: list[PurchaseSubmissions] = field(default_factory=list)
    acknowledged: int = 0
    unavailable: int = 0
    cut_requests: list[tuple[float, float]] = field(default_factory=list)
    wrong_responses: Counter[str] = field(default_factory=Counter)

    def filter_cuts(self, moments: list[float]) -> None:
        """Forget the requests that were cut, but those that were under way at one of these moments."""
        self.cut_requests = [
            (sent, cut) for sent, cut in self.cut_requests if any(sent <= moment < cut for moment in moments)
        ]


def create_purchase(sandbox: Sandbox) -> PurchaseSubmissions:
    """Return a new purchase, for which nothing has been sent."""
    purchase = sandbox.marketplace.buy(Order(product_code=factories.PRODUCT_CODE))
    return PurchaseSubmissions(purchase, sandbox.marketplace.mint_token(purchase))


def unique_answers() -> Answers:
    """Return answers that nobody else gives."""
    number = next(serial_numbers)
    return Answers(
        company=f"Company {number}",
        full_name=f"Buyer {number}",
        email=f"buyer-{number}@example.com",
        phone=None if number % 3 else f"+1 555 {number:07}",
        notes=None if number % 2 else f"Line one of {number}\n{'and more ' * (number % 50)}end",
    )

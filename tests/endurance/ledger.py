"""What buyers have sent for each purchase, and which of it was acknowledged."""

import math
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count

from app.services.signup.registrations import Answers
from sandbox.purchases import Order, Purchase
from sandbox.server import Sandbox
from tests import factories
from tests.endurance.browser import Answer

serial = count(1)


@dataclass
class Submit:
    """One form that was sent: when it began, when its answer came or its connection ended, and whether it counts."""

    answers: Answers
    begun: float = field(default_factory=time.monotonic)
    ended: float = math.inf
    acknowledged: bool = False

    def end(self, answer: Answer | None) -> bool:
        """Note the answer, or that there is none, and return whether the answers were acknowledged."""
        self.ended = time.monotonic()
        self.acknowledged = answer is not None and (answer.status, answer.location) == (303, "/welcome")
        return self.acknowledged


@dataclass
class Bought:
    """One purchase: its registration token, the secret of its form, and every form sent for it."""

    purchase: Purchase
    token: str
    form_secret: str = ""
    submits: list[Submit] = field(default_factory=list)

    def send(self, answers: Answers) -> tuple[Submit, dict[str, str]]:
        """Return a new submit, and the form's fields with its answers."""
        submit = Submit(answers)
        self.submits.append(submit)
        fields = {name: value or "" for name, value in vars(submit.answers).items()}
        return submit, {**fields, "csrf_token": self.form_secret}

    @property
    def acknowledged(self) -> bool:
        """Whether any buyer has been told that the answers are kept."""
        return any(submit.acknowledged for submit in self.submits)

    def may_stand(self) -> list[Answers]:
        """Return the answers that may be stored now: those that no acknowledged submit, begun later, replaced."""
        last = max((submit.begun for submit in self.submits if submit.acknowledged), default=-math.inf)
        return [submit.answers for submit in self.submits if submit.ended > last]


@dataclass
class Ledger:
    """All that one load's buyers did and met: submits by outcome, and when each cut request was sent and was cut."""

    purchases: list[Bought] = field(default_factory=list)
    acknowledged: int = 0
    refused: int = 0
    cuts: list[tuple[float, float]] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)

    def keep_cuts_at(self, moments: list[float]) -> None:
        """Forget the requests that were cut, but those that were under way at one of these moments."""
        self.cuts = [(sent, cut) for sent, cut in self.cuts if any(sent <= moment < cut for moment in moments)]


def buy(sandbox: Sandbox) -> Bought:
    """Return a new purchase, for which nothing has been sent."""
    purchase = sandbox.world.buy(Order(product_code=factories.CODE))
    return Bought(purchase, sandbox.world.mint(purchase))


def new_answers() -> Answers:
    """Return answers that nobody else gives."""
    number = next(serial)
    return Answers(
        company=f"Company {number}",
        full_name=f"Buyer {number}",
        email=f"buyer-{number}@example.com",
        phone=None if number % 3 else f"+1 555 {number:07}",
        notes=None if number % 2 else f"Line one of {number}\n{'and more ' * (number % 50)}end",
    )

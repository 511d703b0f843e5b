"""The count: what the database holds, held against what buyers were told."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields

from sqlalchemy import create_engine, select

from app.models import Registration, Subscription
from app.services.signup.registrations import Answers
from tests.endurance.submissions import PurchaseSubmissions, SubmissionLog
from tests.support import factories

ANSWER_FIELDS = tuple(field.name for field in fields(Answers))
SUBSCRIPTIONS = select(Subscription.license_arn)
REGISTRATIONS = select(Subscription.license_arn, *(getattr(Registration, name) for name in ANSWER_FIELDS)).join(
    Subscription, Subscription.id == Registration.subscription_id
)


@dataclass(frozen=True)
class RegistrationCounts:
    """Purchases with an acknowledged submit, those found and lost; rows too many; answers that nobody sent last."""

    acknowledged: int
    stored: int
    lost: int
    duplicates: int
    mismatched: int


def compare_registrations(database_url: str, purchases: Iterable[PurchaseSubmissions]) -> RegistrationCounts:
    """Return what of the purchases is stored as it should be.

    Lost is a purchase whose acknowledged answers are not there, or are older than those last acknowledged.
    """
    engine = create_engine(factories.sqlalchemy_url(database_url))
    with engine.connect() as connection:
        subscriptions = Counter(connection.scalars(SUBSCRIPTIONS))
        rows = [(license_arn, Answers(*answers)) for license_arn, *answers in connection.execute(REGISTRATIONS)]
    engine.dispose()
    registrations = Counter(license_arn for license_arn, _ in rows)
    stored = dict(rows)
    right = {True: 0, False: 0}
    mixed = 0
    for bought in purchases:
        answers = stored.get(bought.purchase.license_arn)
        as_it_should_be = answers in bought.acceptable_answers()
        if bought.acknowledged:
            right[as_it_should_be] += 1
        elif answers:
            mixed += not as_it_should_be
    duplicates = sum(number - 1 for each in (subscriptions, registrations) for number in each.values())
    return RegistrationCounts(sum(right.values()), right[True], right[False], duplicates, mixed)


@dataclass(frozen=True)
class RegistrationReport:
    """One run: what it was, its counts, what its buyers met, and how long after each kill they were served again."""

    name: str
    counts: RegistrationCounts
    ledger: SubmissionLog = field(repr=False)
    recoveries: list[float]

    @property
    def kills(self) -> int:
        """How often something was killed."""
        return len(self.recoveries)

    @property
    def interrupted(self) -> int:
        """How many requests were refused for a while, or cut."""
        return self.ledger.unavailable + len(self.ledger.cut_requests)

    def is_lossless(self, at_least: int) -> bool:
        """Return whether so many purchases were acknowledged, all of them found, once each, and no answer was wrong."""
        counts = self.counts
        faults = counts.lost + counts.duplicates + counts.mismatched + self.ledger.wrong_responses.total()
        return faults == 0 and counts.stored == counts.acknowledged >= at_least

    def __str__(self) -> str:
        ledger = self.ledger
        met = {"submits": ledger.acknowledged, "refused": ledger.unavailable, "cut": len(ledger.cut_requests)}
        figures = {**asdict(self.counts), "kills": self.kills, **met, "wrong": dict(ledger.wrong_responses) or 0}
        slowest = f"  slowest recovery {max(self.recoveries):.1f} s" if self.recoveries else ""
        return f"{self.name}: {'  '.join(f'{name} {figure}' for name, figure in figures.items())}{slowest}"

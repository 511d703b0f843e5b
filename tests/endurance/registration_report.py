"""The report on registrations: compares the database with the submissions that were acknowledged."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields

from sqlalchemy import create_engine, select

from app.models import Registration, Subscription
from app.services.signup import registrations
from app.services.signup.registrations import Answers
from tests.endurance.submissions import PurchaseSubmissions, SubmissionLog
from tests.support import factories

ANSWER_FIELDS = tuple(field.name for field in fields(Answers))
ANSWER_COLUMNS = [getattr(Registration, name) for name in ANSWER_FIELDS]
SUBSCRIPTIONS = select(Subscription.license_arn)
REGISTRATIONS = select(Subscription.license_arn, *ANSWER_COLUMNS).join(
    Subscription, Subscription.id == Registration.subscription_id
)
# On a busy machine AWS answers late, and the token is stored: the worker, which is not part of every run, resolves it.
PENDING_REGISTRATIONS = select(*ANSWER_COLUMNS).where(Registration.parked_token_id.is_not(None))


@dataclass(frozen=True)
class RegistrationCounts:
    """Purchases by what the database has of them; `duplicates` counts rows.

    `mismatched`: purchases without acknowledgement, whose stored answers no buyer can have sent last.
    """

    acknowledged: int
    stored: int
    lost: int
    duplicates: int
    mismatched: int


def compare_registrations(database_url: str, purchases: Iterable[PurchaseSubmissions]) -> RegistrationCounts:
    """Compare the stored registrations with the submissions for each purchase.

    A purchase is lost if its acknowledged answers are not stored, or those stored are older than the last acknowledged.
    """
    engine = create_engine(factories.sqlalchemy_url(database_url))
    with engine.connect() as connection:
        subscriptions = Counter(connection.scalars(SUBSCRIPTIONS))
        # A release before, beside this one, leaves columns empty that it does not know.
        rows = [(row.license_arn, registrations.answers_of(row)) for row in connection.execute(REGISTRATIONS)]
        pending = [registrations.answers_of(row) for row in connection.execute(PENDING_REGISTRATIONS)]
    engine.dispose()
    registered = Counter(license_arn for license_arn, _ in rows)
    answers_by_license = dict(rows)
    stored = lost = mismatched = 0
    for purchase in purchases:
        answers = answers_by_license.get(purchase.purchase.license_arn)
        acceptable_answers = purchase.acceptable_answers()
        is_acceptable = answers in acceptable_answers or any(sent in pending for sent in acceptable_answers)
        if purchase.acknowledged:
            stored += is_acceptable
            lost += not is_acceptable
        elif answers:
            mismatched += not is_acceptable
    duplicates = sum(count - 1 for counts in (subscriptions, registered) for count in counts.values())
    return RegistrationCounts(stored + lost, stored, lost, duplicates, mismatched)


@dataclass(frozen=True)
class RegistrationReport:
    """One run: its counts, its buyers' log, and for each kill the seconds until buyers were served again."""

    name: str
    counts: RegistrationCounts
    log: SubmissionLog = field(repr=False)
    recoveries: list[float]

    @property
    def kills(self) -> int:
        """The number of kills."""
        return len(self.recoveries)

    @property
    def interrupted(self) -> int:
        """The number of requests answered 503 or cut."""
        return self.log.unavailable + len(self.log.cut_requests)

    def is_lossless(self, at_least: int) -> bool:
        """Return whether at least this many purchases were acknowledged, each is stored once, no response was wrong."""
        counts = self.counts
        faults = counts.lost + counts.duplicates + counts.mismatched + self.log.wrong_responses.total()
        return faults == 0 and counts.stored == counts.acknowledged >= at_least

    def __str__(self) -> str:
        log = self.log
        requests = {"submissions": log.acknowledged, "unavailable": log.unavailable, "cut": len(log.cut_requests)}
        figures = {**asdict(self.counts), "kills": self.kills, **requests, "wrong": dict(log.wrong_responses) or 0}
        slowest = f"  slowest recovery {max(self.recoveries):.1f} s" if self.recoveries else ""
        return f"{format_figures(self.name, figures)}{slowest}"


def format_figures(title: str, figures: dict[str, object]) -> str:
    """Return a report's line: its title, then the figures with their names. A figure called `name` is left out."""
    named = (f"{name.replace('_', ' ')} {figure}" for name, figure in figures.items() if name != "name")
    return f"{title}: {'  '.join(named)}"

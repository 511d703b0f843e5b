"""The count of events: what the database holds, held against the lives that AWS's events told of."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Row, create_engine, select

from app.models import Event, Registration, Subscription
from tests.endurance.purchase_histories import PurchaseHistory
from tests.support import factories

REPEATED_LOG_EVENT = '"event": "event.repeated"'
FAILED_LOG_EVENT = '"event": "event.failed"'
SELECT_REGISTERED = select(Subscription.purchase_key, Registration.company).join(
    Registration, Subscription.id == Registration.subscription_id
)


@dataclass
class SentMessages:
    """What has been put into the queue: events, doubles of them, and messages that are none."""

    events: int = 0
    duplicates: int = 0
    invalid: list[str] = field(default_factory=list)

    def add(self, events: int, doubled: int, garbage: list[str]) -> None:
        """Count one portion."""
        self.events += events
        self.duplicates += doubled
        self.invalid += garbage


@dataclass(frozen=True)
class EventCounts:
    """What became of the events and of the buyers.

    Lost is an event that is not stored, or a buyer whose registration is not with their purchase. Wrong are
    subscriptions that are not as AWS has it, or are too many, and outcomes that none of a life's events should have.
    """

    applied: int
    lost: int
    wrong_states: int
    wrong_outcomes: int
    repeated: int
    failed: int
    landed: int


@dataclass(frozen=True)
class EventsReport:
    """One run with events: what it was, what was sent, how often a worker was killed, and what became of it."""

    name: str
    counts: EventCounts
    sent: SentMessages
    dead_lettered: list[str] = field(repr=False)
    kills: int
    kills_in_flight: int
    seconds: float

    def is_lossless(self, at_least: int) -> bool:
        """Return whether so many events were sent and each was applied once and rightly, and the garbage put aside."""
        counts = self.counts
        faults = counts.lost + counts.wrong_states + counts.wrong_outcomes + counts.failed
        # Who is killed between the burial and the deletion buries it once more.
        put_aside = Counter(self.dead_lettered) >= Counter(self.sent.invalid) and set(self.dead_lettered) == set(
            self.sent.invalid
        )
        return faults == 0 and counts.applied == self.sent.events >= at_least and put_aside

    def __str__(self) -> str:
        sent = {"sent": self.sent.events, "doubled": self.sent.duplicates, "garbage": len(self.sent.invalid)}
        kills = {
            "buried": len(self.dead_lettered),
            "kills": self.kills,
            "with messages in flight": self.kills_in_flight,
        }
        figures = {**sent, **kills, **asdict(self.counts), "seconds": f"{self.seconds:.1f}"}
        return f"{self.name}: {'  '.join(f'{name} {figure}' for name, figure in figures.items())}"


def compare_events(database_url: str, lives: Iterable[PurchaseHistory], log: str) -> EventCounts:
    """Return what of the lives is stored as it should be."""
    engine = create_engine(factories.sqlalchemy_url(database_url))
    with engine.connect() as connection:
        subscriptions = Counter(map(_expected_columns, connection.execute(select(Subscription.__table__))))
        outcomes = {row.aws_id: row.outcome for row in connection.execute(select(Event.aws_id, Event.outcome))}
        companies = Counter((key, company) for key, company in connection.execute(SELECT_REGISTERED))
    engine.dispose()
    every = list(lives)
    sent = [aws_id for life in every for aws_id in life.bodies]
    right = Counter(life.expected_row for life in every if life.is_subscription_expected)
    landed = Counter((life.expected_row[0], life.company) for life in every if life.has_buyer)
    expected = {aws_id: life.outcomes for life in every for aws_id in life.bodies}
    return EventCounts(
        applied=sum(aws_id in outcomes for aws_id in sent),
        lost=sum(aws_id not in outcomes for aws_id in sent) + (landed - companies).total(),
        wrong_states=(right - subscriptions).total() + (subscriptions - right).total() + (companies - landed).total(),
        wrong_outcomes=sum(outcome not in expected.get(aws_id, ()) for aws_id, outcome in outcomes.items()),
        repeated=log.count(REPEATED_LOG_EVENT),
        failed=log.count(FAILED_LOG_EVENT),
        landed=landed.total(),
    )


def _expected_columns(row: Row[Any]) -> tuple[str, str, str, str]:
    return row.purchase_key, row.agreement_id or "", row.status, str(row.status_since)

"""The report on events: compares the stored rows with the purchase histories that the events described."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Row, create_engine, select

from app.models import Event, Registration, Subscription
from tests.endurance.purchase_histories import PurchaseHistory
from tests.endurance.registration_report import format_figures
from tests.support import factories

REPEATED_LOG_EVENT = '"event": "event.repeated"'
FAILED_LOG_EVENT = '"event": "event.failed"'
SELECT_REGISTERED = select(Subscription.purchase_key, Registration.company).join(
    Registration, Subscription.id == Registration.subscription_id
)


@dataclass
class SentMessages:
    """What was sent to the queue: the number of events and of duplicates, and the invalid bodies."""

    events: int = 0
    duplicates: int = 0
    invalid: list[str] = field(default_factory=list)

    def add(self, events: int, duplicates: int, invalid: list[str]) -> None:
        self.events += events
        self.duplicates += duplicates
        self.invalid += invalid


@dataclass(frozen=True)
class EventCounts:
    """What became of the events and of the buyers.

    `lost`: events not stored, and buyers whose registration is not with their purchase. `wrong_states`: subscriptions
    too many, or not in AWS's state. `wrong_outcomes`: events with an outcome that their history excludes.
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
    """One run with events: what was sent, what was stored, and how often a worker was killed."""

    name: str
    counts: EventCounts
    sent: SentMessages
    dead_lettered: list[str] = field(repr=False)
    kills: int
    kills_in_flight: int
    seconds: float

    def is_lossless(self, at_least: int) -> bool:
        """Return whether at least this many events were sent, all applied, and all invalid bodies dead-lettered."""
        counts = self.counts
        faults = counts.lost + counts.wrong_states + counts.wrong_outcomes + counts.failed
        # A worker that is killed before it deletes a dead-lettered message causes a second dead letter.
        invalid, dead_lettered = Counter(self.sent.invalid), Counter(self.dead_lettered)
        is_dead_lettered = dead_lettered >= invalid and dead_lettered.keys() == invalid.keys()
        return faults == 0 and counts.applied == self.sent.events >= at_least and is_dead_lettered

    def __str__(self) -> str:
        messages = {"sent": self.sent.events, "duplicates": self.sent.duplicates, "invalid": len(self.sent.invalid)}
        kills = {
            "dead-lettered": len(self.dead_lettered),
            "kills": self.kills,
            "with messages in flight": self.kills_in_flight,
        }
        figures = {**messages, **kills, **asdict(self.counts), "seconds": f"{self.seconds:.1f}"}
        return format_figures(self.name, figures)


def compare_events(database_url: str, histories: Iterable[PurchaseHistory], log: str) -> EventCounts:
    """Compare the database with the histories; count repeated and failed events in the worker's log."""
    engine = create_engine(factories.sqlalchemy_url(database_url))
    with engine.connect() as connection:
        subscriptions = Counter(map(_expected_columns, connection.execute(select(Subscription.__table__))))
        outcomes = {row.aws_id: row.outcome for row in connection.execute(select(Event.aws_id, Event.outcome))}
        companies = Counter((key, company) for key, company in connection.execute(SELECT_REGISTERED))
    engine.dispose()
    histories = list(histories)
    expected_rows = Counter(history.expected_row for history in histories if history.is_subscription_expected)
    landed = Counter((history.expected_row[0], history.company) for history in histories if history.has_buyer)
    expected_outcomes = {aws_id: history.outcomes for history in histories for aws_id in history.bodies}
    wrong_rows = (expected_rows - subscriptions) + (subscriptions - expected_rows) + (companies - landed)
    return EventCounts(
        applied=sum(aws_id in outcomes for aws_id in expected_outcomes),
        lost=sum(aws_id not in outcomes for aws_id in expected_outcomes) + (landed - companies).total(),
        wrong_states=wrong_rows.total(),
        wrong_outcomes=sum(outcome not in expected_outcomes.get(aws_id, ()) for aws_id, outcome in outcomes.items()),
        repeated=log.count(REPEATED_LOG_EVENT),
        failed=log.count(FAILED_LOG_EVENT),
        landed=landed.total(),
    )


def _expected_columns(row: Row[Any]) -> tuple[str, str, str, str]:
    return row.purchase_key, row.agreement_id or "", row.status, str(row.status_since)

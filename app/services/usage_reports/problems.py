"""What is wrong with usage now: hours that are not sent in time, hours that AWS does not bill, and held items."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, func, or_, select

from app.database.transactions import query
from app.models import UsageHour, UsageItem, UtcDateTime
from app.models.usage import IS_HELD, IS_UNSENT, PROBLEM_STATES
from app.services.metering import clock
from app.services.usage_reports.outlook import MAX_OVERDUE

LATEST = bindparam("latest", type_=UtcDateTime)
UNSENT, HELD = "unsent", "held"
IS_OVERDUE = or_(
    and_(UsageHour.state == "open", UsageHour.due_at <= LATEST),
    and_(IS_UNSENT, UsageHour.frozen_at <= LATEST),
)
COUNT_AND_OLDEST = (func.count().label("number"), func.min(UsageHour.hour).label("oldest"))
COUNT_PROBLEMS = (
    select(UsageHour.state, UsageHour.code, *COUNT_AND_OLDEST)
    .where(UsageHour.state.in_(PROBLEM_STATES))
    .group_by(UsageHour.state, UsageHour.code)
    .order_by(UsageHour.state, UsageHour.code)
)
COUNT_UNSENT = select(UsageHour.code, *COUNT_AND_OLDEST).where(IS_OVERDUE).group_by(UsageHour.code)
COUNT_HELD = select(func.count().label("number"), func.min(UsageItem.used_at).label("oldest")).where(IS_HELD)
ADVICE = {
    UNSENT: "Does a worker run, and may it call BatchMeterUsage? AWS takes an hour for a day, and until 06:00 UTC on "
    "the 1st of the next month.",
    "conflict": "AWS has other quantities for them, which Foyer did not send: find in CloudTrail what else calls "
    "BatchMeterUsage, and stop it. Then write them off.",
    "refused": "Mend the cause, and send each once more: usage settle ID --send-again. Once AWS takes one no more, "
    "send its usage as new items, and write it off.",
    "expired": "AWS takes them no more. Send their usage again as new items of now. Then write them off.",
    HELD: "No hour bills them until you decide: bill each in the current hour, or write it off.",
}
COMMANDS = {
    UNSENT: "usage list --state open --state frozen --state sent",
    HELD: "usage list --held",
    **{state: f"usage list --state {state}" for state in PROBLEM_STATES},
}
NAMES = {
    UNSENT: "Hours of usage that should have been billed by now",
    "conflict": "Hours of usage in conflict",
    "refused": "Hours of usage that AWS refused",
    "expired": "Hours of usage that were not billed in time",
    HELD: "Items of usage that are held",
}


@dataclass(frozen=True)
class Problem:
    """So many hours or items with one problem, for one reason; `oldest` is the first hour, or the first item's time."""

    kind: str
    code: str | None
    count: int
    oldest: datetime

    @property
    def text(self) -> str:
        """What is wrong, and what to do."""
        reason = f" ({self.code})" if self.code else ""
        oldest = f"{self.oldest:%Y-%m-%d %H:%M} UTC"
        return f"{NAMES[self.kind]}{reason}: {self.count}, the oldest of {oldest}. {ADVICE[self.kind]}"

    @property
    def command(self) -> str:
        """The command that leads on, without the program's name."""
        return COMMANDS[self.kind]


@query
def find(connection: Connection) -> list[Problem]:
    """Return what is wrong now, the most urgent first."""
    return list(_find(connection))


def count(connection: Connection) -> dict[str, int]:
    """Return how many hours should have been billed by now, how many AWS does not bill, and how many items are held."""
    counts = dict.fromkeys(("usage_unsent", "usage_problems", "usage_held"), 0)
    for problem in _find(connection):
        counts[f"usage_{problem.kind if problem.kind in (UNSENT, HELD) else 'problems'}"] += problem.count
    return counts


def _find(connection: Connection) -> Iterator[Problem]:
    for unsent in connection.execute(COUNT_UNSENT, {"latest": clock.now() - MAX_OVERDUE}):
        yield Problem(UNSENT, unsent.code, unsent.number, unsent.oldest)
    for row in connection.execute(COUNT_PROBLEMS):
        yield Problem(row.state, row.code, row.number, row.oldest)
    held = connection.execute(COUNT_HELD).one()
    if held.number:
        yield Problem(HELD, None, held.number, held.oldest)

"""How the sign-ups go: counts of the last days, what waits, what failed, and what is wrong now.

The limits are those of deploy/alarms.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, bindparam, exists, func, select

from app.config import products
from app.database.transactions import query, wait_for_operator
from app.models import AuditEntry, OutboxMessage, PendingToken, Registration, Subscription, UtcDateTime
from app.services.operations import readiness
from app.services.outbox import announce
from app.services.reports import gauges
from app.services.reports.diagnosis import Finding
from app.services.reports.outbox import IS_MAIL
from app.services.signup import progress
from app.services.usage_reports import problems

MAX_HEARTBEAT_AGE_SECONDS = 120
MAX_TOKEN_AGE_SECONDS = 1800
MAX_HANDOFF_AGE_SECONDS = 900

SINCE, TODAY = bindparam("since", type_=UtcDateTime), bindparam("today", type_=UtcDateTime)
IS_HANDED_OFF = and_(
    OutboxMessage.type.in_(announce.REGISTRATION_TYPES),
    OutboxMessage.outcome == "delivered",
    # So that SQLite looks a subscription's hand-offs up. By the outcome, it would read all for each subscription.
    OutboxMessage.sequence.is_not(None),
)
HAS_ENTERED = AuditEntry.action == progress.ENTERED


def _count(counted: Any, at: Column[Any], *conditions: ColumnElement[bool]) -> Select[Any]:
    """Return the statement that counts both periods, in one pass through the table, by the column with the time."""
    return select(func.count(counted).filter(at >= TODAY), func.count(counted)).where(at >= SINCE, *conditions)


# Each step by its own time. A buyer who comes back counts again as landed, and nobody counts twice in one period.
STEPS = {
    "landed": (
        _count(Subscription.id, Subscription.last_seen_at),
        _count(PendingToken.id, PendingToken.parked_at, PendingToken.subscription_id.is_(None)),
    ),
    "registered": (_count(Registration.id, Registration.created_at),),
    "handed off": (_count(OutboxMessage.subscription_id.distinct(), OutboxMessage.settled_at, IS_HANDED_OFF),),
    "entered": (_count(AuditEntry.registration_id.distinct(), AuditEntry.at, HAS_ENTERED),),
}
NEW_PURCHASES = select(func.count()).select_from(Subscription).where(Subscription.created_at >= SINCE)
# One statement each: so PostgreSQL joins the tables. In one, it would look each purchase up in each table.
FUNNEL = {
    "bought": NEW_PURCHASES,
    "landed": NEW_PURCHASES.where(Subscription.last_seen_at.is_not(None)),
    "registered": NEW_PURCHASES.where(exists().where(Registration.subscription_id == Subscription.id)),
    "handed off": NEW_PURCHASES.where(exists().where(IS_HANDED_OFF, OutboxMessage.subscription_id == Subscription.id)),
    "entered": NEW_PURCHASES.where(exists().where(HAS_ENTERED, AuditEntry.subscription_id == Subscription.id)),
}
# Without these, the gauges have all that waits or failed.
OTHER_COUNTS = {
    "unregistered": select(func.count())
    .select_from(Subscription)
    .where(Subscription.status == "active", ~exists().where(Registration.subscription_id == Subscription.id)),
    "given_up": select(func.count())
    .select_from(Registration)
    .join(PendingToken, PendingToken.id == Registration.parked_token_id)
    .where(PendingToken.settled_at.is_not(None)),
    "bounced": select(func.count()).where(IS_MAIL, OutboxMessage.bounced_at >= SINCE),
}


@dataclass(frozen=True)
class Overview:
    """`steps` has the counts of each period by step, `funnel` those of the purchases that began in the last period.

    `counts` has what waits and what failed, under the gauges' names and those of OTHER_COUNTS.
    """

    steps: Mapping[str, tuple[int, ...]]
    funnel: Mapping[str, int]
    counts: Mapping[str, float]

    @property
    def findings(self) -> list[Finding]:
        """What is wrong now, and the command that mends it or leads on."""
        return list(_findings(self.counts))


def read(today: datetime, since: datetime) -> Overview:
    """Return the overview of the periods that began at these moments, of which the second is the longer."""
    return _read({"today": today, "since": since}, gauges.current())


@query
def _read(connection: Connection, periods: Mapping[str, datetime], measured: Mapping[str, float]) -> Overview:
    wait_for_operator(connection)
    steps = {
        step: tuple(
            map(sum, zip(*(connection.execute(statement, periods).one() for statement in statements), strict=True))
        )
        for step, statements in STEPS.items()
    }
    since = {"since": periods["since"]}
    counts, funnel = (
        {name: connection.scalar(statement, since) or 0 for name, statement in statements.items()}
        for statements in (OTHER_COUNTS, FUNNEL)
    )
    return Overview(steps, funnel, {**measured, **counts, **problems.count(connection)})


def _findings(counts: Mapping[str, float]) -> Iterator[Finding]:
    if not counts["foyer_database_up"]:
        problem = readiness.find_problem()
        yield Finding("FAIL", str(problem or "The database was away for a moment."), "doctor")
    if counts.get("foyer_worker_heartbeat_age_seconds", 0) > MAX_HEARTBEAT_AGE_SECONDS:
        yield Finding("FAIL", "No worker runs: nothing is sent, and no event is read. Start one.", "worker")
    elif counts.get("foyer_events_heartbeat_age_seconds", 0) > MAX_HEARTBEAT_AGE_SECONDS:
        yield Finding("FAIL", "No worker reads the queue of AWS's events.", "doctor")
    if counts.get("foyer_parked_tokens_oldest_seconds", 0) > MAX_TOKEN_AGE_SECONDS:
        yield Finding("FAIL", "A buyer's token has waited for AWS for more than half an hour.", "doctor")
    yield from _handoff_findings(counts)
    if failed := counts.get("foyer_mails_failed", 0):
        yield Finding("warn", f"Mails that were given up: {failed:.0f}.", "mails list --outcome failed")
    if given_up := counts["given_up"]:
        text = f"Registrations whose token AWS gave up: {given_up:.0f}. Mail those buyers a link."
        yield Finding("warn", text, "registrations list --unlinked")
    if ambiguous := counts.get("foyer_events_ambiguous", 0):
        yield Finding("warn", f"Events of AWS's to decide on: {ambiguous:.0f}.", "events list --outcome ambiguous")
    if counts["usage_unsent"] or counts["usage_problems"] or counts["usage_held"]:
        yield Finding("FAIL", "Usage is not billed, or waits for you to decide.", "usage gaps")
    if bounced := counts["bounced"]:
        yield Finding("warn", f"Mails that came back in seven days: {bounced:.0f}.", "mails list --bounced")


def _handoff_findings(counts: Mapping[str, float]) -> Iterator[Finding]:
    if failed := counts.get("foyer_handoffs_failed", 0):
        text = f"Hand-offs that were given up: {failed:.0f}. Mend the product, then:"
        yield Finding("FAIL", text, "handoffs retry --failed")
    if counts.get("foyer_handoffs_oldest_seconds", 0) > MAX_HANDOFF_AGE_SECONDS:
        text = "The product has not accepted a hand-off for more than 15 minutes."
        yield Finding("FAIL", text, "handoffs list --outcome waiting")
    if not products.current().handoff_endpoints:
        yield Finding("note", "No product takes hand-offs: you give buyers access.")

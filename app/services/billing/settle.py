"""Settling calls: what AWS answered is stored, and what it did not bill is due again, or is settled as not billed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, bindparam, case, update

from app.aws.meter_usage import DUPLICATE, IDENTITY_CODES, NOT_SUBSCRIBED, SUCCESS, RecordKey, RecordResult
from app.backoff import backoff_seconds
from app.database.transactions import after_commit, query, transaction
from app.models import UsageAttempt, UsageHour, UtcDateTime
from app.models.usage import IS_UNSENT
from app.services.billing import alerts, journal
from app.services.billing.journal import Attempt
from app.services.metering import clock, hours, licenses

log = structlog.get_logger()


@dataclass(frozen=True)
class Backoff:
    """How long an hour waits before it is sent again, in seconds: doubled with each of its tries."""

    first_seconds: float
    max_seconds: float


FAULT = Backoff(2, 300)
# AWS asks not to send again at once for a customer who is not subscribed; the agreement may be on its way.
SUBSCRIPTION = Backoff(300, 3600)
# The seller has to mend it: the permission, the credentials, the Region or the account.
SETUP = Backoff(30, 600)
# So long before the deadline, an hour is tried once more, however long it should wait.
LAST_TRY = timedelta(minutes=1)
# Answers that are waited out until AWS takes the hour no more.
LASTING_CODES = {NOT_SUBSCRIBED, *IDENTITY_CODES}
OUT_OF_BOUNDS, ANSWER_LOST, NO_RESULT = "TimestampOutOfBounds", "AnswerLost", "NoResult"
# An hour with one of these may be settled as not billed.
FAULTY = {DUPLICATE, NOT_SUBSCRIBED}
HOURS: Any = UsageHour.__table__
# Another worker, which sent the same records after this one's lease, may have settled it.
IS_UNSETTLED = (HOURS.c.id == bindparam("hour_id")) & IS_UNSENT
IS_MINE = HOURS.c.tries == bindparam("own_tries")
LATER = bindparam("later", type_=UtcDateTime)
BILL = (
    update(HOURS)
    .where(IS_UNSETTLED)
    .values(
        state="billed",
        metering_record_id=bindparam("record_id"),
        unread_tries=HOURS.c.unread_tries - 1,
        code=None,
        due_at=None,
        settled_at=bindparam("now", type_=UtcDateTime),
    )
)
# AWS answered, and has not processed it: nothing is unread of this call. A later lease is another worker's.
RELEASE = (
    update(HOURS)
    .where(IS_UNSETTLED)
    .values(
        state=case((IS_MINE, "frozen"), else_=HOURS.c.state),
        unread_tries=HOURS.c.unread_tries - 1,
        code=bindparam("new_code"),
        due_at=case((IS_MINE, LATER), else_=HOURS.c.due_at),
    )
)
# AWS may have processed it.
RETRY = update(HOURS).where(IS_UNSETTLED, IS_MINE).values(code=bindparam("new_code"), due_at=LATER)
END_ATTEMPT = (
    update(UsageAttempt)
    .where(UsageAttempt.id == bindparam("attempt_id"))
    .values(outcome=bindparam("new_outcome"), ended_at=bindparam("now", type_=UtcDateTime))
)


@transaction
def settle_answer(connection: Connection, attempt: Attempt, results: Mapping[RecordKey, RecordResult]) -> None:
    """Settle the hours by AWS's verdicts; those that it did not process are sent again."""
    now = clock.now()
    is_faulty = any(result.status in FAULTY for result in results.values())
    rows = journal.lock_unsettled(connection, [row.id for row in attempt.hours], with_subscriptions=is_faulty)
    tries = _own_tries(attempt.hours)
    billed, faults = [], []
    again: dict[str | None, list[Row[Any]]] = defaultdict(list)
    ended = _ended_hours(connection, rows, results)
    for row in rows:
        result = results.get(journal.build_record(row).key)
        if result is None:
            again[None].append(row)
        elif result.status == SUCCESS or (result.status == DUPLICATE and row.unread_tries > 1):
            billed.append({"hour_id": row.id, "record_id": result.metering_record_id, "now": now})
        elif result.status == DUPLICATE:
            faults.append((row, "conflict", DUPLICATE))
        elif result.status == NOT_SUBSCRIBED and row.id in ended:
            faults.append((row, "refused", NOT_SUBSCRIBED))
        else:
            again[result.status].append(row)
    if billed:
        connection.execute(BILL, billed)
    for code, others in again.items():
        backoff = SUBSCRIPTION if code == NOT_SUBSCRIBED else FAULT
        connection.execute(RELEASE if code else RETRY, _again(others, tries, code or NO_RESULT, backoff, now))
    alerts.settle(connection, faults)
    connection.execute(END_ATTEMPT, {"attempt_id": attempt.id, "new_outcome": "answered", "now": now})
    after_commit(log.info, "usage.sent", billed=len(billed), again=sum(map(len, again.values())), faults=len(faults))


def _ended_hours(
    connection: Connection, rows: Iterable[Row[Any]], results: Mapping[RecordKey, RecordResult]
) -> set[UUID]:
    """Return the hours whose license has ended, if AWS says of any that its customer is not subscribed."""
    is_needed = any(result.status == NOT_SUBSCRIBED for result in results.values())
    return _find_ended(connection, list(rows)) if is_needed else set()


def _find_ended(connection: Connection, rows: Sequence[Row[Any]]) -> set[UUID]:
    found = licenses.find_by_ids(connection, {row.subscription_id for row in rows})
    of_rows = ((row, found[row.subscription_id]) for row in rows if row.subscription_id in found)
    return {row.id for row, owner in of_rows if owner.takes_usage_until(owner.license_by_key(row.meter_key))}


# Whose license has ended: of these, nobody can mend anything.
find_ended = query(_find_ended)


def _again(
    rows: Iterable[Row[Any]], tries: Mapping[UUID, int], code: str, backoff: Backoff, now: datetime
) -> list[dict[str, Any]]:
    """Return what is stored of hours that are sent again after a while: together, so that they share a call again."""
    ordered = sorted(rows, key=lambda row: row.id)
    failures = max(tries[row.id] for row in ordered)
    later = now + timedelta(seconds=backoff_seconds(failures, backoff.first_seconds, backoff.max_seconds))
    return [
        {
            "hour_id": row.id,
            "own_tries": tries[row.id],
            "new_code": code,
            "later": min(later, _last_try(row, now) or later),
        }
        for row in ordered
    ]


def _last_try(row: Row[Any], now: datetime) -> datetime | None:
    """Return the time just before the deadline, unless that is over."""
    at = hours.deadline(row.timestamp) - LAST_TRY
    return at if now < at else None


def _own_tries(rows: Iterable[Row[Any]]) -> dict[UUID, int]:
    """Return the tries of the hours of a call, this one included."""
    return {row.id: row.tries + 1 for row in rows}


@transaction
def release(connection: Connection, attempt: Attempt, code: str, backoff: Backoff) -> None:
    """Let the hours be sent again after a while: AWS answered, and processed none of them."""
    now = clock.now()
    connection.execute(RELEASE, _again(attempt.hours, _own_tries(attempt.hours), code, backoff, now))
    connection.execute(END_ATTEMPT, {"attempt_id": attempt.id, "new_outcome": code, "now": now})


@transaction
def reschedule(connection: Connection, rows: Sequence[Row[Any]], code: str, backoff: Backoff) -> None:
    """Let released hours be sent again after another while."""
    connection.execute(RETRY, _again(rows, _own_tries(rows), code, backoff, clock.now()))


@transaction
def retry(connection: Connection, attempt: Attempt, code: str) -> None:
    """Let the hours be sent again after a while: AWS may have billed them."""
    now = clock.now()
    connection.execute(RETRY, _again(attempt.hours, _own_tries(attempt.hours), code, FAULT, now))
    # Its end stays empty: the answer was never read.
    connection.execute(END_ATTEMPT, {"attempt_id": attempt.id, "new_outcome": code, "now": None})


def overdue_verdict(row: Row[Any]) -> alerts.Verdict:
    """Return the verdict on an hour that AWS takes no more: its last answer decides whether AWS refused it."""
    if row.unread_tries:
        return row, "expired", ANSWER_LOST
    return (row, "refused", row.code) if row.code in LASTING_CODES else (row, "expired", row.code or OUT_OF_BOUNDS)


def refused_verdict(row: Row[Any], code: str) -> alerts.Verdict:
    """Return the verdict on an hour for which AWS refused a call."""
    return row, "expired" if clock.now() >= hours.deadline(row.timestamp) else "refused", code

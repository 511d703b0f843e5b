"""Sending: each call to BatchMeterUsage is journaled, made, and settled by its answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, Uuid, bindparam, select, update

from app.aws import meter_usage
from app.aws.meter_usage import DUPLICATE, IDENTITY_CODES, NOT_SUBSCRIBED, SUCCESS, RecordResult, RecordsRefused
from app.backoff import backoff_seconds
from app.database.transactions import after_commit, transaction
from app.errors import ApiDisabled, CredentialsRefused, MarketplaceError, PermissionDenied, SetupInvalid, Throttled
from app.models import UsageAttempt, UsageHour, UtcDateTime
from app.services.billing import alerts, journal
from app.services.billing.journal import Attempt
from app.services.metering import clock, licenses

log = structlog.get_logger()

FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 2, 300
# AWS asks not to send again at once for a customer who is not subscribed; the agreement may be on its way.
FIRST_NOT_SUBSCRIBED_SECONDS, MAX_NOT_SUBSCRIBED_SECONDS = 300, 3600
# The seller has to mend it: the permission, the credentials, the Region or the account.
SETUP_ERRORS = (ApiDisabled, CredentialsRefused, PermissionDenied, SetupInvalid)
FIRST_SETUP_SECONDS, MAX_SETUP_SECONDS = 30, 600
LEASE_SECONDS = journal.LEASE.total_seconds()
UNPROCESSED = "Unprocessed"
Key = tuple[str, str, int]
HOURS: Any = UsageHour.__table__
OF_HOUR = HOURS.c.id == bindparam("hour_id")
# Another worker, which sent the same records after this one's lease, may have settled it.
IS_UNSETTLED = OF_HOUR & HOURS.c.state.in_(journal.SENDABLE)
SELECT_UNSETTLED = (
    select(HOURS).where(
        HOURS.c.id.in_(bindparam("hour_ids", type_=Uuid, expanding=True)), HOURS.c.state.in_(journal.SENDABLE)
    )
).with_for_update()
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
# AWS answered, and has not processed it: nothing is unread of this call.
RELEASE = (
    update(HOURS)
    .where(IS_UNSETTLED)
    .values(
        state="frozen",
        unread_tries=HOURS.c.unread_tries - 1,
        code=bindparam("new_code"),
        due_at=bindparam("later", type_=UtcDateTime),
    )
)
# AWS may have processed it.
RETRY = (
    update(HOURS).where(IS_UNSETTLED).values(code=bindparam("new_code"), due_at=bindparam("later", type_=UtcDateTime))
)
END_ATTEMPT = (
    update(UsageAttempt)
    .where(UsageAttempt.id == bindparam("attempt_id"))
    .values(outcome=bindparam("new_outcome"), ended_at=bindparam("now", type_=UtcDateTime))
)


@dataclass
class _Outcome:
    """What a call, or its parts, came to: whether AWS processed any record, and which alone it refused, and why."""

    is_answered: bool = True
    is_processed: bool = False
    refused: list[tuple[Row[Any], str]] = field(default_factory=list)


def send_next() -> bool | None:
    """Make one call for the hours that are due.

    Returns True where AWS answered it, False where it failed and the worker should wait, None where no hour is due.
    """
    attempt = journal.claim_next()
    if attempt is None:
        return None
    if not attempt.hours:
        return True
    outcome = _send(attempt)
    if not outcome.refused:
        return outcome.is_answered
    codes = {code for _, code in outcome.refused}
    if outcome.is_answered and not outcome.is_processed and codes <= IDENTITY_CODES:
        # Every record was refused: it is the account or the product code that is wrong, and the seller can mend it.
        log.error("usage.not_sent", fault="RecordsRefused", code=min(codes), product=attempt.product_code)
        _release([row for row, _ in outcome.refused], min(codes), FIRST_SETUP_SECONDS, MAX_SETUP_SECONDS)
        return False
    _refuse(outcome.refused)
    return outcome.is_answered


def _send(attempt: Attempt) -> _Outcome:
    """Make the call and settle its hours, but for those that AWS refused."""
    try:
        results = meter_usage.call(attempt.parameters)
    except RecordsRefused as error:
        _end(attempt, error.code)
        return _find_refused(attempt, error.code)
    except Throttled as error:
        _end(attempt, error.code)
        _release(attempt.hours, error.code, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
    except SETUP_ERRORS as error:
        log.error("usage.not_sent", fault=type(error).__name__, code=error.code, product=attempt.product_code)
        _end(attempt, type(error).__name__)
        _release(attempt.hours, type(error).__name__, FIRST_SETUP_SECONDS, MAX_SETUP_SECONDS)
    except MarketplaceError as error:
        log.warning("usage.no_answer", fault=type(error).__name__, code=error.code, product=attempt.product_code)
        _retry(attempt, error.code or type(error).__name__)
    else:
        _settle(attempt, results)
        return _Outcome(is_processed=True)
    return _Outcome(is_answered=False)


def _find_refused(attempt: Attempt, code: str) -> _Outcome:
    """Send the halves of a call that AWS refused for one of its records, until that one is found."""
    rows = attempt.hours
    # Their answer was read; the lease goes on, so that no other worker claims them meanwhile.
    _release(rows, code, LEASE_SECONDS, LEASE_SECONDS)
    if len(rows) == 1:
        return _Outcome(refused=[(rows[0], code)])
    middle = len(rows) // 2
    first, second = (_send(journal.store_again(half)) for half in (rows[:middle], rows[middle:]))
    is_answered, is_processed = first.is_answered and second.is_answered, first.is_processed or second.is_processed
    return _Outcome(is_answered, is_processed, first.refused + second.refused)


@transaction
def _settle(connection: Connection, attempt: Attempt, results: Mapping[Key, RecordResult]) -> None:
    """Settle the hours by AWS's verdicts; those that it did not process are sent again."""
    now = clock.now()
    rows = connection.execute(SELECT_UNSETTLED, {"hour_ids": [row.id for row in attempt.hours]}).all()
    billed, released, faults = [], [], []
    ended = _ended_subscriptions(connection, rows, results)
    for row in rows:
        result = results.get(journal.build_record(row).key, RecordResult(UNPROCESSED, None))
        if result.status == SUCCESS or (result.status == DUPLICATE and row.unread_tries > 1):
            billed.append({"hour_id": row.id, "record_id": result.metering_record_id, "now": now})
        elif result.status == DUPLICATE:
            faults.append((row, "conflict", DUPLICATE))
        elif result.status == NOT_SUBSCRIBED and row.subscription_id in ended:
            faults.append((row, "refused", NOT_SUBSCRIBED))
        else:
            released.append(_released(row, result.status, now))
    if billed:
        connection.execute(BILL, billed)
    if released:
        connection.execute(RELEASE, released)
    alerts.settle(connection, faults)
    connection.execute(END_ATTEMPT, {"attempt_id": attempt.id, "new_outcome": "answered", "now": now})
    after_commit(log.info, "usage.sent", billed=len(billed), again=len(released), faults=len(faults))


def _ended_subscriptions(
    connection: Connection, rows: Iterable[Row[Any]], results: Mapping[Key, RecordResult]
) -> set[UUID]:
    """Return the subscriptions that have ended, of those that AWS says are not subscribed."""
    if not any(result.status == NOT_SUBSCRIBED for result in results.values()):
        return set()
    found = licenses.find_by_ids(connection, {row.subscription_id for row in rows})
    return {
        row.subscription_id
        for row in rows
        if found[row.subscription_id].takes_usage_until(found[row.subscription_id].license_by_key(row.meter_key))
    }


def _released(row: Row[Any], code: str, now: datetime) -> dict[str, Any]:
    is_slow = code == NOT_SUBSCRIBED
    first = FIRST_NOT_SUBSCRIBED_SECONDS if is_slow else FIRST_BACKOFF_SECONDS
    longest = MAX_NOT_SUBSCRIBED_SECONDS if is_slow else MAX_BACKOFF_SECONDS
    later = now + timedelta(seconds=backoff_seconds(row.tries, first, longest))
    return {"hour_id": row.id, "new_code": code, "later": later}


@transaction
def _release(
    connection: Connection, rows: Sequence[Row[Any]], code: str, first_seconds: float, max_seconds: float
) -> None:
    """Let the hours be sent again after a while: AWS answered, and processed none of them."""
    now = clock.now()
    later = [now + timedelta(seconds=backoff_seconds(row.tries, first_seconds, max_seconds)) for row in rows]
    values = [{"hour_id": row.id, "new_code": code, "later": at} for row, at in zip(rows, later, strict=True)]
    connection.execute(RELEASE, values)


@transaction
def _retry(connection: Connection, attempt: Attempt, code: str) -> None:
    """Let the hours be sent again after a while: AWS may have billed them."""
    now = clock.now()
    seconds = [backoff_seconds(row.tries, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS) for row in attempt.hours]
    values = [
        {"hour_id": row.id, "new_code": code, "later": now + timedelta(seconds=wait)}
        for row, wait in zip(attempt.hours, seconds, strict=True)
    ]
    connection.execute(RETRY, values)
    # Its end stays empty: the answer was never read.
    connection.execute(END_ATTEMPT, {"attempt_id": attempt.id, "new_outcome": code, "now": None})


@transaction
def _end(connection: Connection, attempt: Attempt, outcome: str) -> None:
    connection.execute(END_ATTEMPT, {"attempt_id": attempt.id, "new_outcome": outcome, "now": clock.now()})


@transaction
def _refuse(connection: Connection, refused: Sequence[tuple[Row[Any], str]]) -> None:
    alerts.settle(connection, [(row, "refused", code) for row, code in refused])

"""Sending: one call to BatchMeterUsage, and what becomes of its hours."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row

from app.aws import meter_usage
from app.aws.meter_usage import IDENTITY_CODES, RecordsRefused
from app.backoff import backoff_seconds
from app.errors import ApiDisabled, CredentialsRefused, MarketplaceError, PermissionDenied, SetupInvalid, Throttled
from app.services.billing import alerts, journal, settle
from app.services.billing.journal import Attempt
from app.services.billing.settle import FAULT, SETUP, Backoff
from app.services.metering import clock

log = structlog.get_logger()

# The seller has to mend it: the permission, the credentials, the Region or the account.
SETUP_ERRORS = (ApiDisabled, CredentialsRefused, PermissionDenied, SetupInvalid)
# While the halves of a call are sent, its hours stay this worker's.
LEASE = Backoff(*[journal.LEASE / timedelta(seconds=1)] * 2)


def _do_not_wait() -> None:
    """Send the next half of a refused call at once."""


@dataclass
class Pauses:
    """The products of which AWS refuses every record: one record of theirs is tried now and then.

    Their account or product code is wrong. Without a pause, each of their calls would be sent again in halves, down to
    single records, and the usage of other products would wait.
    """

    _failures: dict[str, int] = field(default_factory=dict)
    _until: dict[str, datetime] = field(default_factory=dict)

    def current(self) -> frozenset[str]:
        """Return the products that are not tried now."""
        now = clock.now()
        return frozenset(code for code, until in self._until.items() if now < until)

    def failing(self) -> Collection[str]:
        """Return the products of which one record is tried."""
        return self._until.keys()

    def fail(self, product_code: str) -> None:
        """Wait with the product, longer each time."""
        self._failures[product_code] = self._failures.get(product_code, -1) + 1
        seconds = backoff_seconds(self._failures[product_code], SETUP.first_seconds, SETUP.max_seconds)
        self._until[product_code] = clock.now() + timedelta(seconds=seconds)

    def succeed(self, product_code: str) -> None:
        """Send all of the product again."""
        self._failures.pop(product_code, None)
        self._until.pop(product_code, None)


@dataclass
class _Outcome:
    """What a call, or its parts, came to: whether AWS processed any record, and which alone it refused, and why."""

    is_answered: bool = True
    is_processed: bool = False
    refused: list[tuple[Row[Any], str]] = field(default_factory=list)

    def add(self, part: "_Outcome") -> None:
        self.is_answered = self.is_answered and part.is_answered
        self.is_processed = self.is_processed or part.is_processed
        self.refused += part.refused


def send_next(pauses: Pauses | None = None, wait: Callable[[], object] = _do_not_wait) -> bool | None:
    """Make one call for the hours that are due, and `wait` before each more that its refusal needs.

    Returns True where AWS answered it, False where it failed and the worker should wait, None where no hour is due.
    """
    pauses = pauses or Pauses()
    attempt = journal.claim_next(pauses.current(), pauses.failing())
    if attempt is None:
        return None
    if attempt.overdue:
        alerts.settle_alone([settle.overdue_verdict(row) for row in attempt.overdue])
    if not attempt.hours:
        return True
    outcome = _send(attempt, wait)
    if outcome.is_processed:
        pauses.succeed(attempt.product_code)
    elif {code for _, code in outcome.refused} <= IDENTITY_CODES:
        outcome.refused = _wait_with_product(attempt.product_code, outcome.refused, pauses)
    alerts.settle_alone([settle.refused_verdict(row, code) for row, code in outcome.refused])
    return outcome.is_answered


def _wait_with_product(
    product_code: str, refused: Sequence[tuple[Row[Any], str]], pauses: Pauses
) -> list[tuple[Row[Any], str]]:
    """Wait with hours of a product of which AWS refused every record; return those that are refused for good.

    It is the account or the product code that is wrong, and the seller can mend it, or their licenses have ended.
    """
    ended = settle.find_ended([row for row, _ in refused])
    waiting = [row for row, _ in refused if row.id not in ended]
    if waiting:
        code = refused[0][1]
        alerts.report_setup(product_code, "RecordsRefused", code)
        settle.reschedule(waiting, code, SETUP)
        pauses.fail(product_code)
    return [(row, code) for row, code in refused if row.id in ended]


def _send(attempt: Attempt, wait: Callable[[], object]) -> _Outcome:
    """Make the call and settle its hours, but for those that AWS refused."""
    try:
        results = meter_usage.call(attempt.parameters)
    except RecordsRefused as error:
        # Their answer was read; the lease goes on, so that no other worker claims them meanwhile.
        settle.release(attempt, error.code, LEASE)
        return _find_refused(attempt, error.code, wait)
    except Throttled as error:
        settle.release(attempt, error.code, FAULT)
    except SETUP_ERRORS as error:
        alerts.report_setup(attempt.product_code, type(error).__name__, error.code)
        settle.release(attempt, type(error).__name__, SETUP)
    except MarketplaceError as error:
        log.warning("usage.no_answer", fault=type(error).__name__, code=error.code, product=attempt.product_code)
        settle.retry(attempt, error.code or type(error).__name__)
    else:
        settle.settle_answer(attempt, results)
        return _Outcome(is_processed=True)
    return _Outcome(is_answered=False)


def _find_refused(attempt: Attempt, code: str, wait: Callable[[], object]) -> _Outcome:
    """Send the halves of a call that AWS refused for one of its records, until that one is found."""
    rows = attempt.hours
    if len(rows) == 1:
        return _Outcome(refused=[(rows[0], code)])
    outcome, middle = _Outcome(), len(rows) // 2
    for half in (rows[:middle], rows[middle:]):
        if not outcome.is_answered:
            # AWS does not answer now: nothing is known of these, and they are due again soon.
            settle.reschedule(half, code, FAULT)
            continue
        wait()
        if part := journal.store_again(half):
            outcome.add(_send(part, wait))
    return outcome

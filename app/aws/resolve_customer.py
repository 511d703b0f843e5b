"""Calls ResolveCustomer: turns a registration token into the customer.

Follows https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_ResolveCustomer.html
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, cast

from botocore.exceptions import ClientError
from flask import Flask, current_app

from app.aws import clients, open_connections
from app.aws.clients import CallTimeouts, Clients
from app.aws.customer import Customer
from app.aws.fields import strip
from app.aws.open_connections import NoOpenConnection
from app.aws.resolve_cache import ResolveCache
from app.backoff import backoff_seconds
from app.deadline import seconds_before_database
from app.errors import IncompleteAnswer, MarketplaceError, MarketplaceUnavailable, Throttled
from app.observability import metrics

# A buyer waits at a blank page until the request's deadline for AWS at most; then the page says that AWS is slow. The
# first attempt may use nearly all of it. After one that failed quickly, retries follow while there is time, the last
# with short timeouts. The connect timeout is for each of an endpoint's addresses, and there can be several.
FIRST_TIMEOUTS = CallTimeouts(0.7, 3.2)
RETRY_TIMEOUTS = CallTimeouts(0.5, 1)
ANY_CONNECTION = nullcontext()
BACKGROUND_TIMEOUTS = CallTimeouts(3, 20)
MAX_ATTEMPTS = 3
FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.3, 0.6

# So many landings in a row without an answer mean that AWS is down; then one in so many seconds asks.
UNANSWERED_LANDINGS = 3
TRIAL_INTERVAL_SECONDS = 3


class ResolveClient:
    """Calls ResolveCustomer by a deadline, on another thread where the call may block past it."""

    def __init__(self, aws: Clients, threads: int) -> None:
        self._aws = aws
        # Threads start at their first use, after the fork.
        self._thread_pool = ThreadPoolExecutor(threads, thread_name_prefix="aws")

    def call(self, token: str, deadline: float) -> Customer:
        """Return the customer, by the deadline on the monotonic clock.

        botocore's timeouts cover neither DNS nor the search for credentials. A call that needs either runs on a thread
        that is abandoned at the deadline. One for which a connection is open runs on the caller's thread, because the
        change of threads costs a fifth of a landing.
        """
        seconds = deadline - time.monotonic()
        timeouts = FIRST_TIMEOUTS if seconds > 2 * RETRY_TIMEOUTS.attempt_seconds else RETRY_TIMEOUTS
        if timeouts.read_seconds <= seconds and self._aws.has_fresh_credentials():
            with suppress(NoOpenConnection):
                return self._call_aws(token, timeouts, open_connections.only())
        call = self._thread_pool.submit(self._call_aws, token, timeouts)
        try:
            return call.result(max(deadline - time.monotonic(), 0))
        except TimeoutError as error:
            call.cancel()
            raise MarketplaceUnavailable("TimeBudgetExceeded") from error

    def close(self) -> None:
        """Stop the threads; calls that have not started are cancelled."""
        self._thread_pool.shutdown(cancel_futures=True)

    def _call_aws(
        self, token: str, timeouts: CallTimeouts, connections: AbstractContextManager[None] = ANY_CONNECTION
    ) -> Customer:
        with clients.translate_errors(), connections:
            response = self._aws.resolve_customer(timeouts)(RegistrationToken=token)
        return parse_customer(dict(response))


class CircuitBreaker:
    """Limits the landings that wait for AWS, in this process: while AWS is down, most are not to wait for it in vain.

    It opens after several landings in a row that AWS did not answer, or answered with a status of 500 or more, and
    closes with the next other answer. While it is open, few landings ask AWS; for the others it is unavailable at once.
    """

    def __init__(self, max_waiting: int, trial_interval_seconds: float = TRIAL_INTERVAL_SECONDS) -> None:
        self._lock = threading.Lock()
        self._max_waiting = max_waiting
        self._trial_interval_seconds = trial_interval_seconds
        self._waiting = 0
        self._unanswered = 0
        self._answered_at = 0.0
        self._next_trial_at = 0.0

    @property
    def is_open(self) -> bool:
        """Return whether AWS did not answer the last landings that asked it."""
        return self._unanswered >= UNANSWERED_LANDINGS

    @contextmanager
    def call(self) -> Iterator[None]:
        """Record how the calls in the `with` block end.

        Raises:
            MarketplaceUnavailable: AWS is not to be asked now.
        """
        started_at = time.monotonic()
        self._enter(started_at)
        try:
            yield
        except MarketplaceError as error:
            if isinstance(error, MarketplaceUnavailable) and not _is_client_fault(error):
                self._record_outage(started_at)
            else:
                self._record_answer()
            raise
        else:
            self._record_answer()
        finally:
            with self._lock:
                self._waiting -= 1

    def _enter(self, now: float) -> None:
        with self._lock:
            if self._waiting >= self._max_waiting or (self.is_open and now < self._next_trial_at):
                raise MarketplaceUnavailable("NotAsked")
            self._waiting += 1
            self._next_trial_at = now + self._trial_interval_seconds

    def _record_outage(self, started_at: float) -> None:
        with self._lock:
            # A call that began before the last answer does not say that AWS is down again.
            self._unanswered += started_at >= self._answered_at

    def _record_answer(self) -> None:
        with self._lock:
            self._unanswered, self._answered_at = 0, time.monotonic()


def _is_client_fault(error: MarketplaceUnavailable) -> bool:
    """Return whether AWS answered with an unknown refusal: made-up tokens must not open the breaker for everyone."""
    cause = error.__cause__
    return (
        isinstance(cause, ClientError) and cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) < 500
    )


def resolve(token: str) -> Customer:
    """Return the customer that the registration token stands for.

    Takes 3.5 seconds at most, retries, credentials and DNS included, and less where the request has used some of them.
    A token that was resolved or refused lately, or that another thread is resolving, is not sent again. While AWS is
    down, few tokens are sent.

    Raises:
        InvalidToken, ExpiredToken: the buyer has to start again from AWS Marketplace.
        Throttled, MarketplaceUnavailable: AWS may resolve the token later.
        ApiDisabled, CredentialsRefused, SetupInvalid, PermissionDenied: the seller has to change the set-up.
        IncompleteAnswer: AWS named no product, or no customer.
    """
    deadline = time.monotonic() + seconds_before_database()

    def resolve_timed() -> Customer:
        with _circuit_breaker().call(), metrics.resolve_duration.time():
            return resolve_uncached(token, deadline)

    return _resolve_cache().get_or_resolve(token, deadline, resolve_timed)


def is_cached(token: str) -> bool:
    """Return whether `resolve` has the customer or the refusal without a call to AWS."""
    return _resolve_cache().contains(token)


def is_aws_down() -> bool:
    """Return whether AWS did not answer the last landings that asked it."""
    return _circuit_breaker().is_open


def resolve_uncached(token: str, deadline: float) -> Customer:
    """Call AWS, with retries, until the deadline on the monotonic clock. Raises the same as `resolve`."""
    client: ResolveClient = current_app.extensions["aws.resolve_client"]
    for attempt in range(MAX_ATTEMPTS):
        try:
            return client.call(token, deadline)
        except (Throttled, MarketplaceUnavailable):
            pause = backoff_seconds(attempt, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
            if attempt == MAX_ATTEMPTS - 1 or time.monotonic() + pause + RETRY_TIMEOUTS.attempt_seconds > deadline:
                raise
        time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def resolve_in_background(token: str) -> Customer:
    """Call AWS once, with long timeouts, where no buyer waits. Raises the same as `resolve`."""
    with clients.translate_errors():
        response = clients.current().metering(BACKGROUND_TIMEOUTS).resolve_customer(RegistrationToken=token)
    return parse_customer(dict(response))


def init_app(app: Flask) -> None:
    """Add the client and its cache to the application. This calls nothing."""
    threads = app.config["THREADS"]
    app.extensions["aws.resolve_client"] = ResolveClient(app.extensions["aws"], threads)
    # A quarter of the threads is left for requests that do not wait for AWS.
    app.extensions["aws.circuit_breaker"] = CircuitBreaker(threads * 3 // 4)
    app.extensions["aws.resolve_cache"] = ResolveCache(app.extensions["rate_counters"])


def _circuit_breaker() -> CircuitBreaker:
    return cast(CircuitBreaker, current_app.extensions["aws.circuit_breaker"])


def _resolve_cache() -> ResolveCache:
    return cast(ResolveCache, current_app.extensions["aws.resolve_cache"])


def parse_customer(response: dict[str, Any]) -> Customer:
    """Return the customer in a ResolveCustomer response.

    Raises:
        IncompleteAnswer: the product code is missing, or both customer ids are.
    """
    metadata = response.get("Metadata") or {}
    customer = Customer(
        product_code=strip(response.get("ProductCode")) or "",
        customer_aws_account_id=strip(response.get("CustomerAWSAccountId")),
        customer_identifier=strip(response.get("CustomerIdentifier")),
        license_arn=strip(response.get("LicenseArn")),
        agreement_id=strip(metadata.get("AgreementId")),
    )
    if not customer.product_code:
        raise IncompleteAnswer("ProductCode")
    if not (customer.customer_aws_account_id or customer.customer_identifier):
        raise IncompleteAnswer("CustomerAWSAccountId")
    return customer

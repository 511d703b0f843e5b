"""ResolveCustomer: turns a registration token into the customer who bought.

Follows https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_ResolveCustomer.html
"""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError
from flask import Flask, current_app

from app.aws import clients, errors
from app.aws.clients import CallTimeouts, Clients
from app.aws.customer import Customer, parse_customer
from app.aws.resolve_cache import ResolveCache
from app.errors import MarketplaceUnavailable, Throttled
from app.observability import metrics

# A buyer is watching a blank page: past this they are told that AWS is slow. A slow AWS is given nearly all of
# it once; one that fails quickly is asked again, in a hurry, while there is time. The time to connect is for each
# of an endpoint's addresses, of which there can be several.
TIME_BUDGET_SECONDS = 5
FIRST_TIMEOUTS = CallTimeouts(0.7, 3.5)
RETRY_TIMEOUTS = CallTimeouts(0.5, 1)
BACKGROUND_TIMEOUTS = CallTimeouts(3, 20)
MAX_ATTEMPTS = 3
BACKOFF_SECONDS = 0.3


class ResolveClient:
    """The application's calls to ResolveCustomer, and whether the last one that ended was answered."""

    def __init__(self, aws: Clients, threads: int) -> None:
        self._aws = aws
        # No thread starts before it is needed.
        self._thread_pool = ThreadPoolExecutor(threads, thread_name_prefix="aws")
        self._last_call_answered = False

    def call(self, token: str, deadline: float) -> dict[str, Any]:
        """Return AWS's answer, by the deadline on the monotonic clock.

        botocore's timeouts bound neither a name look-up nor the search for credentials. Where one of them may
        come, after a fault or at the start, the call runs on a thread that can be left behind when time is up;
        while all is well it runs on the caller's, because the change of threads costs a fifth of a landing.

        Raises:
            TimeoutError: the deadline came first.
        """
        patience = FIRST_TIMEOUTS if time.monotonic() + FIRST_TIMEOUTS.attempt_seconds <= deadline else RETRY_TIMEOUTS
        if self._last_call_answered and self._aws.has_fresh_credentials():
            return self._call_aws(token, patience)
        call = self._thread_pool.submit(self._call_aws, token, patience)
        try:
            return call.result(max(deadline - time.monotonic(), 0))
        except TimeoutError:
            call.cancel()
            raise

    def close(self) -> None:
        """End the threads."""
        self._thread_pool.shutdown(cancel_futures=True)

    def _call_aws(self, token: str, timeouts: CallTimeouts) -> dict[str, Any]:
        answered = False
        try:
            answer = dict(self._aws.metering(timeouts).resolve_customer(RegistrationToken=token))
            answered = True
        except ClientError:
            answered = True
            raise
        finally:
            self._last_call_answered = answered
        return answer


def resolve(token: str) -> Customer:
    """Return the customer whose browser brought the registration token.

    Takes 5 seconds at the most, retries, credentials and name look-up included. A token that AWS judged just now, or
    is judging for somebody else, is not sent to it again.

    Raises:
        InvalidToken, ExpiredToken: the buyer has to start again from AWS Marketplace.
        Throttled, MarketplaceUnavailable: AWS may answer a little later.
        ApiDisabled, CredentialsRefused, PermissionDenied: the seller has to mend the set-up.
        IncompleteAnswer: AWS named no product, or no customer.
    """
    deadline = time.monotonic() + TIME_BUDGET_SECONDS
    return _resolve_cache().get_or_resolve(token, deadline, lambda: _resolve_timed(token, deadline))


def is_cached(token: str) -> bool:
    """Return whether `resolve` knows the answer without asking AWS."""
    return _resolve_cache().contains(token)


def resolve_uncached(token: str, deadline: float) -> Customer:
    """Return the customer as `resolve` does, by asking AWS, until the deadline on the monotonic clock.

    Raises:
        The same as `resolve`.
    """
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return parse_customer(_call_once(token, deadline))
        except (Throttled, MarketplaceUnavailable):
            # Buyers who were refused together do not come again together.
            pause = random.uniform(0, BACKOFF_SECONDS * attempt)  # noqa: S311
            if attempt == MAX_ATTEMPTS or time.monotonic() + pause + RETRY_TIMEOUTS.attempt_seconds > deadline:
                raise
        time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _resolve_timed(token: str, deadline: float) -> Customer:
    with metrics.resolve_duration.time():
        return resolve_uncached(token, deadline)


def resolve_in_background(token: str) -> Customer:
    """Return the customer as `resolve` does, where no buyer waits: one call, with more patience.

    Raises:
        The same as `resolve`.
    """
    with errors.translate():
        answer = clients.current().metering(BACKGROUND_TIMEOUTS).resolve_customer(RegistrationToken=token)
    return parse_customer(dict(answer))


def init_app(app: Flask) -> None:
    """Keep the application's calls; none is made before the first buyer comes."""
    app.extensions["aws.resolve_client"] = ResolveClient(app.extensions["aws"], app.config["THREADS"])
    app.extensions["aws.resolve_cache"] = ResolveCache(app.extensions["rate_counters"])


def _resolve_cache() -> ResolveCache:
    judged: ResolveCache = current_app.extensions["aws.resolve_cache"]
    return judged


def _call_once(token: str, deadline: float) -> dict[str, Any]:
    calls: ResolveClient = current_app.extensions["aws.resolve_client"]
    with errors.translate():
        try:
            return calls.call(token, deadline)
        except TimeoutError as error:
            raise MarketplaceUnavailable("TimeBudgetExceeded") from error

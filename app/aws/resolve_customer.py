"""Calls ResolveCustomer: turns a registration token into the customer.

Follows https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_ResolveCustomer.html
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from botocore.exceptions import ClientError
from flask import Flask, current_app

from app.aws import clients
from app.aws.clients import CallTimeouts, Clients
from app.aws.customer import Customer
from app.aws.fields import strip
from app.aws.resolve_cache import ResolveCache
from app.backoff import backoff_seconds
from app.errors import IncompleteAnswer, MarketplaceError, MarketplaceUnavailable, Throttled
from app.observability import metrics

# A buyer waits at a blank page for so long at most; then the page says that AWS is slow. The first attempt may use
# nearly all of it. After one that failed quickly, retries with short timeouts follow while there is time. The connect
# timeout is for each of an endpoint's addresses, and there can be several.
TIME_BUDGET_SECONDS = 5
FIRST_TIMEOUTS = CallTimeouts(0.7, 3.5)
RETRY_TIMEOUTS = CallTimeouts(0.5, 1)
BACKGROUND_TIMEOUTS = CallTimeouts(3, 20)
MAX_ATTEMPTS = 3
FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.3, 0.6


class ResolveClient:
    """Calls ResolveCustomer by a deadline, on another thread where the call may block past it."""

    def __init__(self, aws: Clients, threads: int) -> None:
        self._aws = aws
        # Threads start at their first use, after the fork.
        self._thread_pool = ThreadPoolExecutor(threads, thread_name_prefix="aws")
        self._last_call_answered = False

    def call(self, token: str, deadline: float) -> Customer:
        """Return the customer, by the deadline on the monotonic clock.

        botocore's timeouts cover neither DNS nor the search for credentials. Either can happen at the start and after
        an error: then the call runs on a thread that is abandoned at the deadline. Otherwise it runs on the caller's
        thread, because the change of threads costs a fifth of a landing.
        """
        fits_first = time.monotonic() + FIRST_TIMEOUTS.attempt_seconds <= deadline
        timeouts = FIRST_TIMEOUTS if fits_first else RETRY_TIMEOUTS
        if self._last_call_answered and self._aws.has_fresh_credentials():
            return self._call_aws(token, timeouts)
        call = self._thread_pool.submit(self._call_aws, token, timeouts)
        try:
            return call.result(max(deadline - time.monotonic(), 0))
        except TimeoutError as error:
            call.cancel()
            raise MarketplaceUnavailable("TimeBudgetExceeded") from error

    def close(self) -> None:
        """Stop the threads; calls that have not started are cancelled."""
        self._thread_pool.shutdown(cancel_futures=True)

    def _call_aws(self, token: str, timeouts: CallTimeouts) -> Customer:
        try:
            with clients.translate_errors():
                response = self._aws.metering(timeouts).resolve_customer(RegistrationToken=token)
        except MarketplaceError as error:
            self._last_call_answered = isinstance(error.__cause__, ClientError)
            raise
        self._last_call_answered = True
        return parse_customer(dict(response))


def resolve(token: str) -> Customer:
    """Return the customer that the registration token stands for.

    Takes 5 seconds at most, retries, credentials and DNS included. A token that was resolved or refused lately, or
    that another thread is resolving, is not sent again.

    Raises:
        InvalidToken, ExpiredToken: the buyer has to start again from AWS Marketplace.
        Throttled, MarketplaceUnavailable: AWS may resolve the token later.
        ApiDisabled, CredentialsRefused, SetupInvalid, PermissionDenied: the seller has to change the set-up.
        IncompleteAnswer: AWS named no product, or no customer.
    """
    deadline = time.monotonic() + TIME_BUDGET_SECONDS

    def resolve_timed() -> Customer:
        with metrics.resolve_duration.time():
            return resolve_uncached(token, deadline)

    return _resolve_cache().get_or_resolve(token, deadline, resolve_timed)


def is_cached(token: str) -> bool:
    """Return whether `resolve` has the customer or the refusal without a call to AWS."""
    return _resolve_cache().contains(token)


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
    app.extensions["aws.resolve_client"] = ResolveClient(app.extensions["aws"], app.config["THREADS"])
    app.extensions["aws.resolve_cache"] = ResolveCache(app.extensions["rate_counters"])


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

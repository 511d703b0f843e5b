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
from app.aws.clients import Clients, Patience
from app.aws.customer import Customer, customer
from app.aws.resolve_cache import Judged
from app.errors import MarketplaceUnavailable, Throttled
from app.observability import metrics

# A buyer is watching a blank page: past this they are told that AWS is slow. A slow AWS is given nearly all of
# it once; one that fails quickly is asked again, in a hurry, while there is time. The time to connect is for each
# of an endpoint's addresses, of which there can be several.
BUDGET_SECONDS = 5
FIRST = Patience(0.7, 3.5)
AGAIN = Patience(0.5, 1)
PATIENT = Patience(3, 20)
ATTEMPTS = 3
PAUSE_SECONDS = 0.3


class Calls:
    """The application's calls to ResolveCustomer, and whether the last one that ended was answered."""

    def __init__(self, aws: Clients, threads: int) -> None:
        self._aws = aws
        # No thread starts before it is needed.
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="aws")
        self._answered = False

    def ask(self, token: str, deadline: float) -> dict[str, Any]:
        """Return AWS's answer, by the deadline on the monotonic clock.

        botocore's timeouts bound neither a name look-up nor the search for credentials. Where one of them may
        come, after a fault or at the start, the call runs on a thread that can be left behind when time is up;
        while all is well it runs on the caller's, because the change of threads costs a fifth of a landing.

        Raises:
            TimeoutError: the deadline came first.
        """
        patience = FIRST if time.monotonic() + FIRST.seconds <= deadline else AGAIN
        if self._answered and self._aws.credentials_are_fresh():
            return self._call(token, patience)
        call = self._threads.submit(self._call, token, patience)
        try:
            return call.result(max(deadline - time.monotonic(), 0))
        except TimeoutError:
            call.cancel()
            raise

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(cancel_futures=True)

    def _call(self, token: str, patience: Patience) -> dict[str, Any]:
        answered = False
        try:
            answer = dict(self._aws.metering(patience).resolve_customer(RegistrationToken=token))
            answered = True
        except ClientError:
            answered = True
            raise
        finally:
            self._answered = answered
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
    deadline = time.monotonic() + BUDGET_SECONDS
    return _judged().once(token, deadline, lambda: _timed(token, deadline))


def remembers(token: str) -> bool:
    """Return whether `resolve` knows the answer without asking AWS."""
    return _judged().remembers(token)


def resolve_afresh(token: str, deadline: float) -> Customer:
    """Return the customer as `resolve` does, by asking AWS, until the deadline on the monotonic clock.

    Raises:
        The same as `resolve`.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return customer(_ask(token, deadline))
        except (Throttled, MarketplaceUnavailable):
            # Buyers who were refused together do not come again together.
            pause = random.uniform(0, PAUSE_SECONDS * attempt)  # noqa: S311
            if attempt == ATTEMPTS or time.monotonic() + pause + AGAIN.seconds > deadline:
                raise
        time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _timed(token: str, deadline: float) -> Customer:
    with metrics.resolve_duration.time():
        return resolve_afresh(token, deadline)


def resolve_patiently(token: str) -> Customer:
    """Return the customer as `resolve` does, where no buyer waits: one call, with more patience.

    Raises:
        The same as `resolve`.
    """
    with errors.translated():
        answer = clients.current().metering(PATIENT).resolve_customer(RegistrationToken=token)
    return customer(dict(answer))


def init_app(app: Flask) -> None:
    """Keep the application's calls; none is made before the first buyer comes."""
    app.extensions["aws.calls"] = Calls(app.extensions["aws"], app.config["THREADS"])
    app.extensions["aws.judged"] = Judged(app.extensions["counters"])


def _judged() -> Judged:
    judged: Judged = current_app.extensions["aws.judged"]
    return judged


def _ask(token: str, deadline: float) -> dict[str, Any]:
    calls: Calls = current_app.extensions["aws.calls"]
    with errors.translated():
        try:
            return calls.ask(token, deadline)
        except TimeoutError as error:
            raise MarketplaceUnavailable("TimeBudgetExceeded") from error

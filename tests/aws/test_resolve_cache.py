"""The resolve cache: one call to AWS per token, what is cached and for how long, and what never is."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine

from app.aws import resolve_cache
from app.aws.customer import Customer
from app.aws.resolve_cache import ResolveCache
from app.errors import (
    ApiDisabled,
    CredentialsRefused,
    ExpiredToken,
    IncompleteAnswer,
    InvalidToken,
    MarketplaceError,
    MarketplaceUnavailable,
    PermissionDenied,
    Throttled,
)
from app.security.rate_counters import Counters
from tests.support import factories

# A thread that is going to call AWS has done so by then.
LONG_ENOUGH_SECONDS = 0.3
TEMPORARY_ERRORS = [
    Throttled,
    MarketplaceUnavailable,
    ApiDisabled,
    CredentialsRefused,
    PermissionDenied,
    IncompleteAnswer,
]


class Aws:
    """Returns a customer or raises an error, and counters its calls."""

    def __init__(self, answer: Customer | BaseException) -> None:
        self.answer = answer
        self.calls = 0

    def __call__(self) -> Customer:
        self.calls += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class SlowAws(Aws):
    """Sets `called` at a call, then waits for `may_answer`."""

    def __init__(self, answer: Customer | BaseException) -> None:
        super().__init__(answer)
        self.called = threading.Event()
        self.may_answer = threading.Event()

    def __call__(self) -> Customer:
        self.called.set()
        assert self.may_answer.wait(10)
        return super().__call__()


def deadline_in(seconds: float = 5) -> float:
    return time.monotonic() + seconds


def result_or_error(resolve: Callable[[], Customer]) -> Customer | BaseException:
    try:
        return resolve()
    except BaseException as error:  # noqa: BLE001  # the test compares it
        return error


def test_second_click_makes_no_call_to_aws() -> None:
    cache, aws = ResolveCache(Counters()), Aws(factories.customer())

    customers = [cache.get_or_resolve("token", deadline_in(), aws) for _ in range(2)]

    assert customers == [factories.customer()] * 2
    assert aws.calls == 1


def test_each_token_is_resolved_by_its_own_call() -> None:
    cache, aws = ResolveCache(Counters()), Aws(factories.customer())

    for token in ("one", "other"):
        cache.get_or_resolve(token, deadline_in(), aws)

    assert aws.calls == 2


@pytest.mark.parametrize("error", [InvalidToken, ExpiredToken])
def test_refusal_is_cached_with_its_error(error: type[MarketplaceError]) -> None:
    cache, aws = ResolveCache(Counters()), Aws(error("FromAws"))

    refusals = [result_or_error(lambda: cache.get_or_resolve("token", deadline_in(), aws)) for _ in range(3)]

    assert aws.calls == 1
    assert [type(refusal) for refusal in refusals] == [error] * 3
    assert [getattr(refusal, "from_cache", None) for refusal in refusals] == [False, True, True]


@pytest.mark.parametrize("error", [InvalidToken, ExpiredToken])
def test_simultaneous_refusals_in_processes_cache_the_same_error(error: type[MarketplaceError]) -> None:
    counters = Counters()
    aws = SlowAws(error())
    with ThreadPoolExecutor(3) as processes:
        calls = [processes.submit(ResolveCache(counters).get_or_resolve, "token", deadline_in(), aws) for _ in range(3)]
        aws.may_answer.set()
        assert all(isinstance(call.exception(), error) for call in calls)

    with pytest.raises(error):
        ResolveCache(counters).get_or_resolve("token", deadline_in(), Aws(factories.customer()))


def test_expired_token_error_is_cached_before_an_invalid_one() -> None:
    counters = Counters()
    with ThreadPoolExecutor(2) as processes:
        refusals = [SlowAws(InvalidToken()), SlowAws(ExpiredToken())]
        for aws in refusals:
            processes.submit(ResolveCache(counters).get_or_resolve, "token", deadline_in(), aws)
            assert aws.called.wait(30)
        for aws in refusals:
            aws.may_answer.set()

    with pytest.raises(ExpiredToken):
        ResolveCache(counters).get_or_resolve("token", deadline_in(), Aws(factories.customer()))


@pytest.mark.parametrize("error", TEMPORARY_ERRORS)
def test_temporary_error_is_never_cached(error: type[MarketplaceError]) -> None:
    cache, aws = ResolveCache(Counters()), Aws(error())
    result_or_error(lambda: cache.get_or_resolve("token", deadline_in(), aws))
    assert not cache.contains("token")

    aws.answer = factories.customer()

    assert cache.get_or_resolve("token", deadline_in(), aws) == factories.customer()


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [(factories.customer(), resolve_cache.RESOLVED_TTL_SECONDS), (InvalidToken(), resolve_cache.REFUSED_TTL_SECONDS)],
)
def test_cached_answer_expires_after_its_ttl(answer: Customer | MarketplaceError, seconds: int) -> None:
    cache, aws = ResolveCache(Counters()), Aws(answer)
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        result_or_error(lambda: cache.get_or_resolve("token", deadline_in(), aws))

        clock.shift(seconds - 1)
        assert cache.contains("token")
        result_or_error(lambda: cache.get_or_resolve("token", deadline_in(), aws))
        assert aws.calls == 1
        clock.shift(1)
        assert not cache.contains("token")
        result_or_error(lambda: cache.get_or_resolve("token", deadline_in(), aws))
        assert aws.calls == 2


def test_full_cache_evicts_the_oldest_customer() -> None:
    cache, aws = ResolveCache(Counters()), Aws(factories.customer())

    for number in range(resolve_cache.MAX_RESOLVED + 1):
        cache.get_or_resolve(f"token {number}", deadline_in(), aws)

    assert not cache.contains("token 0")
    assert cache.contains("token 1")


@pytest.mark.parametrize("answer", [factories.customer(), InvalidToken("FromAws"), Throttled("FromAws")])
def test_concurrent_calls_for_one_token_share_one_answer(answer: Customer | MarketplaceError) -> None:
    cache, aws, second_aws = ResolveCache(Counters()), SlowAws(answer), SlowAws(factories.customer())
    with ThreadPoolExecutor(4) as buyers:
        first = buyers.submit(result_or_error, lambda: cache.get_or_resolve("token", deadline_in(), aws))
        assert aws.called.wait(30)
        others = [
            buyers.submit(result_or_error, lambda: cache.get_or_resolve("token", deadline_in(), second_aws))
            for _ in range(3)
        ]
        called_again = second_aws.called.wait(LONG_ENOUGH_SECONDS)
        aws.may_answer.set()
        second_aws.may_answer.set()

    assert not called_again
    assert first.result() is answer
    results = [other.result() for other in others]
    assert [type(result) for result in results] == [type(answer)] * 3
    assert all(result == answer or getattr(result, "from_cache", False) for result in results)


def test_waiting_call_raises_unavailable_at_its_own_deadline() -> None:
    cache, aws = ResolveCache(Counters()), SlowAws(factories.customer())
    with ThreadPoolExecutor(1) as buyers:
        buyers.submit(cache.get_or_resolve, "token", deadline_in(), aws)
        assert aws.called.wait(30)

        started = time.monotonic()

        with pytest.raises(MarketplaceUnavailable, match="TimeBudgetExceeded"):
            cache.get_or_resolve("token", deadline_in(0.05), Aws(AssertionError()))

        assert time.monotonic() - started < 2
        aws.may_answer.set()


def test_waiting_calls_fail_when_the_resolving_thread_dies() -> None:
    cache, aws = ResolveCache(Counters()), SlowAws(SystemExit())
    with ThreadPoolExecutor(2) as buyers:
        first = buyers.submit(cache.get_or_resolve, "token", deadline_in(), aws)
        assert aws.called.wait(30)
        second_aws = SlowAws(factories.customer())
        other = buyers.submit(cache.get_or_resolve, "token", deadline_in(60), second_aws)
        assert not second_aws.called.wait(LONG_ENOUGH_SECONDS)
        aws.may_answer.set()

        assert isinstance(first.exception(5), SystemExit)
        assert isinstance(other.exception(5), MarketplaceUnavailable)
    assert cache.get_or_resolve("token", deadline_in(), Aws(factories.customer())) == factories.customer()


def test_cache_stores_no_token_in_clear() -> None:
    counters = Counters()
    cache = ResolveCache(counters)

    cache.get_or_resolve("good-token", deadline_in(), Aws(factories.customer()))
    result_or_error(lambda: cache.get_or_resolve("bad-token", deadline_in(), Aws(InvalidToken())))

    stored = repr({**vars(cache), **vars(counters)})
    assert "agmt-4mwg1nevbokzw95eca5797ixs" in stored
    assert "refused-token/" in stored
    assert "good-token" not in stored
    assert "bad-token" not in stored

"""The memory of tokens: one call to AWS for one token, whoever asks and however often, and what is never remembered."""

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

# For a thread to have asked by then, if it is going to.
LONG_ENOUGH = 0.3
NEVER_REMEMBERED = [
    Throttled,
    MarketplaceUnavailable,
    ApiDisabled,
    CredentialsRefused,
    PermissionDenied,
    IncompleteAnswer,
]


class Aws:
    """Answers with a customer or an error, and counts how often it was asked."""

    def __init__(self, answer: Customer | BaseException) -> None:
        self.answer = answer
        self.asked = 0

    def __call__(self) -> Customer:
        self.asked += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class SlowAws(Aws):
    """Answers when it is told to, and says when it is asked."""

    def __init__(self, answer: Customer | BaseException) -> None:
        super().__init__(answer)
        self.was_asked = threading.Event()
        self.may_answer = threading.Event()

    def __call__(self) -> Customer:
        self.was_asked.set()
        assert self.may_answer.wait(10)
        return super().__call__()


def soon(seconds: float = 5) -> float:
    return time.monotonic() + seconds


def outcome(resolve: Callable[[], Customer]) -> Customer | BaseException:
    try:
        return resolve()
    except BaseException as error:  # noqa: BLE001  # whatever it is, the test is about it
        return error


def test_second_click_makes_no_call_to_aws() -> None:
    memory, aws = ResolveCache(Counters()), Aws(factories.customer())

    answers = [memory.get_or_resolve("token", soon(), aws) for _ in range(2)]

    assert answers == [factories.customer()] * 2
    assert aws.asked == 1


def test_each_token_is_resolved_by_its_own_call() -> None:
    memory, aws = ResolveCache(Counters()), Aws(factories.customer())

    for token in ("one", "other"):
        memory.get_or_resolve(token, soon(), aws)

    assert aws.asked == 2


@pytest.mark.parametrize("verdict", [InvalidToken, ExpiredToken])
def test_refusal_is_cached_with_its_error(verdict: type[MarketplaceError]) -> None:
    memory, aws = ResolveCache(Counters()), Aws(verdict("FromAws"))

    refusals = [outcome(lambda: memory.get_or_resolve("token", soon(), aws)) for _ in range(3)]

    assert aws.asked == 1
    assert [type(refusal) for refusal in refusals] == [verdict] * 3
    assert [getattr(refusal, "from_cache", None) for refusal in refusals] == [False, True, True]


@pytest.mark.parametrize("verdict", [InvalidToken, ExpiredToken])
def test_simultaneous_refusals_in_processes_cache_the_same_error(verdict: type[MarketplaceError]) -> None:
    counts = Counters()
    aws = SlowAws(verdict())
    with ThreadPoolExecutor(3) as processes:
        asked = [processes.submit(ResolveCache(counts).get_or_resolve, "token", soon(), aws) for _ in range(3)]
        aws.may_answer.set()
        assert all(isinstance(each.exception(), verdict) for each in asked)

    with pytest.raises(verdict):
        ResolveCache(counts).get_or_resolve("token", soon(), Aws(factories.customer()))


@pytest.mark.parametrize("fault", NEVER_REMEMBERED)
def test_temporary_error_is_never_cached(fault: type[MarketplaceError]) -> None:
    memory, aws = ResolveCache(Counters()), Aws(fault())
    outcome(lambda: memory.get_or_resolve("token", soon(), aws))
    assert not memory.contains("token")

    aws.answer = factories.customer()

    assert memory.get_or_resolve("token", soon(), aws) == factories.customer()


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [(factories.customer(), resolve_cache.RESOLVED_TTL_SECONDS), (InvalidToken(), resolve_cache.REFUSED_TTL_SECONDS)],
)
def test_cached_answer_expires_after_its_ttl(answer: Customer | MarketplaceError, seconds: int) -> None:
    memory, aws = ResolveCache(Counters()), Aws(answer)
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        outcome(lambda: memory.get_or_resolve("token", soon(), aws))

        clock.shift(seconds - 1)
        assert memory.contains("token")
        outcome(lambda: memory.get_or_resolve("token", soon(), aws))
        assert aws.asked == 1
        clock.shift(1)
        assert not memory.contains("token")
        outcome(lambda: memory.get_or_resolve("token", soon(), aws))
        assert aws.asked == 2


def test_full_cache_evicts_the_oldest_customer() -> None:
    memory, aws = ResolveCache(Counters()), Aws(factories.customer())

    for number in range(resolve_cache.MAX_RESOLVED + 1):
        memory.get_or_resolve(f"token {number}", soon(), aws)

    assert not memory.contains("token 0")
    assert memory.contains("token 1")


@pytest.mark.parametrize("answer", [factories.customer(), InvalidToken("FromAws"), Throttled("FromAws")])
def test_concurrent_calls_for_one_token_share_one_answer(answer: Customer | MarketplaceError) -> None:
    memory, aws, again = ResolveCache(Counters()), SlowAws(answer), SlowAws(factories.customer())
    with ThreadPoolExecutor(4) as buyers:
        first = buyers.submit(outcome, lambda: memory.get_or_resolve("token", soon(), aws))
        assert aws.was_asked.wait(5)
        others = [buyers.submit(outcome, lambda: memory.get_or_resolve("token", soon(), again)) for _ in range(3)]
        asked_again = again.was_asked.wait(LONG_ENOUGH)
        aws.may_answer.set()
        again.may_answer.set()

    assert not asked_again
    assert first.result() is answer
    told = [other.result() for other in others]
    assert [type(each) for each in told] == [type(answer)] * 3
    assert all(each == answer or getattr(each, "from_cache", False) for each in told)


def test_waiting_call_raises_unavailable_at_its_own_deadline() -> None:
    memory, aws = ResolveCache(Counters()), SlowAws(factories.customer())
    with ThreadPoolExecutor(1) as buyers:
        buyers.submit(memory.get_or_resolve, "token", soon(), aws)
        assert aws.was_asked.wait(5)

        started = time.monotonic()

        with pytest.raises(MarketplaceUnavailable, match="TimeBudgetExceeded"):
            memory.get_or_resolve("token", soon(0.05), Aws(AssertionError()))

        assert time.monotonic() - started < 2
        aws.may_answer.set()


def test_waiting_calls_fail_when_the_resolving_thread_dies() -> None:
    memory, aws = ResolveCache(Counters()), SlowAws(SystemExit())
    with ThreadPoolExecutor(2) as buyers:
        first = buyers.submit(memory.get_or_resolve, "token", soon(), aws)
        assert aws.was_asked.wait(5)
        again = SlowAws(factories.customer())
        other = buyers.submit(memory.get_or_resolve, "token", soon(60), again)
        assert not again.was_asked.wait(LONG_ENOUGH)
        aws.may_answer.set()

        assert isinstance(first.exception(5), SystemExit)
        assert isinstance(other.exception(5), MarketplaceUnavailable)
    assert memory.get_or_resolve("token", soon(), Aws(factories.customer())) == factories.customer()


def test_cache_stores_no_token_in_clear() -> None:
    counts = Counters()
    memory = ResolveCache(counts)

    memory.get_or_resolve("good-token", soon(), Aws(factories.customer()))
    outcome(lambda: memory.get_or_resolve("bad-token", soon(), Aws(InvalidToken())))

    kept = repr({**vars(memory), **vars(counts)})
    assert "agmt-4mwg1nevbokzw95eca5797ixs" in kept
    assert "refused-token/" in kept
    assert "good-token" not in kept
    assert "bad-token" not in kept

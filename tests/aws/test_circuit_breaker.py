"""The circuit breaker: when landings ask an AWS that does not answer, and when they do again."""

from contextlib import ExitStack, suppress

import pytest

from app.aws.resolve_customer import UNANSWERED_LANDINGS, CircuitBreaker
from app.errors import InvalidToken, MarketplaceError, MarketplaceUnavailable, Throttled

NEVER, AT_ONCE = 1e9, 0.0


def land(breaker: CircuitBreaker, error: MarketplaceError | None = None) -> bool:
    """Ask AWS, which answers with the error; return whether it was asked."""
    was_asked = False
    with suppress(MarketplaceError), breaker.call():
        was_asked = True
        if error:
            raise error
    return was_asked


def open_breaker(trial_interval_seconds: float) -> CircuitBreaker:
    breaker = CircuitBreaker(10, trial_interval_seconds)
    for _ in range(UNANSWERED_LANDINGS):
        land(breaker, MarketplaceUnavailable("ReadTimeoutError"))
    assert breaker.is_open
    return breaker


def test_aws_that_is_down_is_not_asked_by_every_landing() -> None:
    breaker = open_breaker(NEVER)

    assert not any(land(breaker) for _ in range(20))


def test_unasked_landing_names_the_reason() -> None:
    with pytest.raises(MarketplaceUnavailable, match="NotAsked"), open_breaker(NEVER).call():
        pass


def test_two_unanswered_landings_do_not_open_the_breaker() -> None:
    breaker = CircuitBreaker(10, NEVER)

    for _ in range(5):
        asked = [land(breaker, MarketplaceUnavailable()) for _ in range(UNANSWERED_LANDINGS - 1)]
        assert asked == [True] * (UNANSWERED_LANDINGS - 1)
        assert land(breaker)


@pytest.mark.parametrize("answer", [None, InvalidToken(), Throttled()])
def test_first_answer_of_any_kind_closes_the_breaker(answer: MarketplaceError | None) -> None:
    breaker = open_breaker(AT_ONCE)

    assert land(breaker, answer)
    assert not breaker.is_open


def test_late_failures_after_an_answer_do_not_open_the_breaker() -> None:
    breaker = CircuitBreaker(10, NEVER)
    calls = [breaker.call() for _ in range(UNANSWERED_LANDINGS)]
    for call in calls:
        call.__enter__()
    assert land(breaker)

    for call in calls:
        with suppress(MarketplaceUnavailable):
            call.__exit__(MarketplaceUnavailable, MarketplaceUnavailable(), None)

    assert not breaker.is_open


def test_landings_that_wait_for_aws_leave_threads_free() -> None:
    breaker = CircuitBreaker(4)
    with ExitStack() as waiting:
        for _ in range(4):
            waiting.enter_context(breaker.call())

        assert not land(breaker)

    assert land(breaker)


def test_unforeseen_error_frees_its_place() -> None:
    breaker = CircuitBreaker(1)

    with pytest.raises(ZeroDivisionError), breaker.call():
        raise ZeroDivisionError

    assert land(breaker)

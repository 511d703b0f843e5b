"""Counts: when they start anew, how many are kept, and what becomes of them with and without Redis."""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import redis
import time_machine

from app import create_app
from app.config import settings
from app.config.settings import SettingsError
from app.security import rate_counters
from app.security.rate_counters import Counters, RedisCounters
from tests.support import factories
from tests.support.ports import free_port
from tests.support.redis_server import TIMEOUT_QUERY, RedisServer


@pytest.fixture
def redis_url() -> Iterator[str]:
    """The URL of an empty Redis: TEST_REDIS_URL, or a fake one behind a real socket."""
    if url := os.environ.get("TEST_REDIS_URL"):
        redis.Redis.from_url(url).flushdb()
        yield f"{url}{TIMEOUT_QUERY}"
        return
    with RedisServer() as url:
        yield url


def made(uri: str) -> Counters:
    """Return the counts of a new application with that setting."""
    with factories.open_app(create_app(factories.settings(ratelimit_storage_uri=uri))) as app, app.app_context():
        return rate_counters.current()


def shared(uri: str) -> RedisCounters:
    found = made(uri)
    assert isinstance(found, RedisCounters)
    return found


def test_a_count_starts_anew_when_its_time_is_over() -> None:
    counts = Counters()
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        assert [counts.increment("office", 60), counts.increment("office", 60, 5)] == [1, 6]

        clock.shift(59)
        assert counts.get("office") == 6
        assert counts.seconds_until_reset("office") == 1
        clock.shift(1)
        assert counts.get("office") == 0
        assert counts.seconds_until_reset("office") == 0
        assert counts.increment("office", 60) == 1


def test_the_least_used_counts_go_when_there_are_too_many() -> None:
    counts = Counters(max_counts=3)
    for key in ("flooder", "a", "b", "flooder", "c"):
        counts.increment(key, 60)

    assert [counts.get(key) for key in ("flooder", "a", "b", "c")] == [2, 0, 1, 1]


def test_a_count_whose_time_is_over_is_forgotten_when_others_come() -> None:
    counts = Counters()
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        counts.increment("passer-by", 60)
        counts.increment("regular", 3600)
        clock.shift(rate_counters.PURGE_INTERVAL_SECONDS)

        counts.increment("another", 60)

    assert set(counts._counts) == {"regular", "another"}


def test_threads_lose_no_count() -> None:
    counts = Counters()
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: [counts.increment("office", 60) for _ in range(2000)], range(8)))

    sys.setswitchinterval(usual)
    assert counts.get("office") == 16_000


def test_every_application_counts_for_itself() -> None:
    first, second = made("memory://"), made("memory://")
    first.increment("office", 60)

    assert second.get("office") == 0


def test_with_redis_all_applications_count_together(redis_url: str) -> None:
    first, second = shared(redis_url), shared(redis_url)

    assert [first.increment("office", 60), second.increment("office", 60, 5)] == [1, 6]
    assert first.get("office") == 6
    assert 0 < second.seconds_until_reset("office") <= 60
    assert first.get("elsewhere") == 0


def test_without_a_redis_at_the_start_counts_are_kept_here_and_it_is_said_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    counts = shared("redis://127.0.0.1:1/0")

    assert [counts.increment("office", 60) for _ in range(3)] == [1, 2, 3]
    assert counts.get("office") == 3
    assert capsys.readouterr().err.count('"event": "redis.unavailable"') == 1


def test_a_redis_that_never_answers_is_waited_for_once_and_briefly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        counts = shared(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        started = time.monotonic()

        assert [counts.increment("office", 60) for _ in range(20)] == list(range(1, 21))

    assert time.monotonic() - started < 2 * (rate_counters.CONNECT_TIMEOUT_SECONDS + rate_counters.READ_TIMEOUT_SECONDS)


def test_buyers_who_wait_for_redis_together_say_once_that_it_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(8) as buyers:
        counts = shared(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")

        list(buyers.map(lambda _: counts.increment("office", 60), range(8)))

    assert counts.get("office") == 8
    assert capsys.readouterr().err.count('"event": "redis.unavailable"') == 1


def test_a_redis_that_comes_back_is_counted_in_again(capsys: pytest.CaptureFixture[str]) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        with RedisServer(free_port()) as url:
            counts = shared(url)
            counts.increment("office", 60)
        assert counts.increment("office", 60) == 1

        with RedisServer(urlsplit(url).port or 0):
            assert counts.get("office") == 1
            clock.shift(rate_counters.RECONNECT_INTERVAL_SECONDS)
            counts.get("office")
            settle()

            assert [counts.increment("office", 60, 7), counts.get("office")] == [7, 7]
    log = capsys.readouterr().err
    assert [log.count(f'"event": "redis.{what}"') for what in ("unavailable", "recovered")] == [1, 1]


def test_nobody_waits_while_redis_is_looked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock, socket.create_server(("127.0.0.1", 0)) as silent:
        counts = shared(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        counts.get("office")
        clock.shift(rate_counters.RECONNECT_INTERVAL_SECONDS)
        started = time.monotonic()

        counts.get("office")

        assert time.monotonic() - started < rate_counters.READ_TIMEOUT_SECONDS
        settle()
    assert "redis.recovered" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "uri",
    [
        "memcached://127.0.0.1:11211",
        "memory",
        "memory://somewhere",
        "redis",
        "redis://",
        "redis:///0",
        "redis://cache:port/0",
        "redis://cache/first",
        "http://cache:6379",
    ],
)
def test_an_odd_storage_stops_the_start(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    factories.clear_environment(monkeypatch)
    for name, value in factories.environment("sqlite:///foyer.db", "").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RATELIMIT_STORAGE_URI", uri)

    with pytest.raises(SettingsError, match=r"RATELIMIT_STORAGE_URI: it must be memory://, or start with redis://"):
        settings.load()


@pytest.mark.parametrize("parameter", ["no_such_parameter=1", "max_connections=many"])
def test_an_odd_parameter_of_redis_stops_the_start_and_its_password_is_not_shown(parameter: str) -> None:
    with pytest.raises(SettingsError, match="RATELIMIT_STORAGE_URI: ") as stopped:
        made(f"rediss://user:open-sesame@cache.example:6379/0?{parameter}")

    assert "sesame" not in str(stopped.value)


def settle() -> None:
    """Wait for the look for Redis that is under way."""
    for thread in threading.enumerate():
        if thread.name == "look-for-redis":
            thread.join(10)

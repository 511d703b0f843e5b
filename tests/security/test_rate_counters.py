"""Rate counters: their reset, their number, and what happens with and without Redis."""

import os
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import redis
import time_machine

from app.config import settings
from app.config.settings import SettingsError
from app.security import rate_counters
from app.security.rate_counters import Counters
from tests.support import factories
from tests.support.ports import free_port
from tests.support.redis_server import TIMEOUT_QUERY, RedisServer, counters_for, redis_counters, wait_for_reconnect


@pytest.fixture
def redis_url() -> Iterator[str]:
    """The URL of an empty Redis: TEST_REDIS_URL, or a fake one behind a real socket."""
    if url := os.environ.get("TEST_REDIS_URL"):
        redis.Redis.from_url(url).flushdb()
        yield f"{url}{TIMEOUT_QUERY}"
        return
    with RedisServer() as url:
        yield url


def test_count_is_reset_when_its_window_ends() -> None:
    counts = Counters()
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        assert [counts.increment("office", 60) for _ in range(2)] == [1, 2]

        clock.shift(59)
        assert counts.get("office") == 2
        assert counts.seconds_until_reset("office") == 1
        clock.shift(1)
        assert counts.get("office") == 0
        assert counts.seconds_until_reset("office") == 0
        assert counts.increment("office", 60) == 1


def test_least_used_counts_are_dropped_when_too_many() -> None:
    counts = Counters(max_counts=3)
    for key in ("flooder", "a", "b", "flooder", "c"):
        counts.increment(key, 60)

    assert [counts.get(key) for key in ("flooder", "a", "b", "c")] == [2, 0, 1, 1]


def test_expired_count_is_dropped_at_the_next_increment() -> None:
    counts = Counters()
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        counts.increment("expired", 60)
        counts.increment("counting", 3600)
        clock.shift(60)

        counts.increment("another", 60)

    assert set(counts._counts) == {"counting", "another"}


def test_concurrent_increments_are_all_counted() -> None:
    counts = Counters()
    switch_interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: [counts.increment("office", 60) for _ in range(2000)], range(8)))

    sys.setswitchinterval(switch_interval)
    assert counts.get("office") == 16_000


def test_applications_in_memory_count_separately() -> None:
    first, second = counters_for("memory://"), counters_for("memory://")
    first.increment("office", 60)

    assert second.get("office") == 0


def test_applications_on_one_redis_count_together(redis_url: str) -> None:
    first, second = redis_counters(redis_url), redis_counters(redis_url)

    assert [first.increment("office", 60), second.increment("office", 60)] == [1, 2]
    assert first.get("office") == 2
    assert 0 < second.seconds_until_reset("office") <= 60
    assert first.get("elsewhere") == 0


def test_unreachable_redis_falls_back_to_memory_and_is_logged_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    counts = redis_counters("redis://127.0.0.1:1/0")

    assert [counts.increment("office", 60) for _ in range(3)] == [1, 2, 3]
    assert counts.get("office") == 3
    assert capsys.readouterr().err.count('"event": "redis.unavailable"') == 1


def test_silent_redis_is_waited_for_once_and_briefly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        counts = redis_counters(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        started = time.monotonic()

        assert [counts.increment("office", 60) for _ in range(20)] == list(range(1, 21))

    assert time.monotonic() - started < 2 * (rate_counters.CONNECT_TIMEOUT_SECONDS + rate_counters.READ_TIMEOUT_SECONDS)


def test_concurrent_redis_failures_are_logged_once(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(8) as buyers:
        counts = redis_counters(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")

        list(buyers.map(lambda _: counts.increment("office", 60), range(8)))

    assert counts.get("office") == 8
    assert capsys.readouterr().err.count('"event": "redis.unavailable"') == 1


def test_recovered_redis_is_used_again(capsys: pytest.CaptureFixture[str]) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        with RedisServer(free_port()) as url:
            counts = redis_counters(url)
            counts.increment("office", 60)
        assert counts.increment("office", 60) == 1

        with RedisServer(urlsplit(url).port or 0):
            assert counts.get("office") == 1
            clock.shift(rate_counters.RECONNECT_INTERVAL_SECONDS)
            counts.get("office")
            wait_for_reconnect()

            assert [counts.increment("office", 60) for _ in range(7)] == list(range(1, 8))
            assert counts.get("office") == 7
    log = capsys.readouterr().err
    assert [log.count(f'"event": "redis.{change}"') for change in ("unavailable", "recovered")] == [1, 1]


def test_reconnecting_to_redis_blocks_no_request(capsys: pytest.CaptureFixture[str]) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock, socket.create_server(("127.0.0.1", 0)) as silent:
        counts = redis_counters(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        counts.get("office")
        clock.shift(rate_counters.RECONNECT_INTERVAL_SECONDS)
        started = time.monotonic()

        counts.get("office")

        assert time.monotonic() - started < rate_counters.READ_TIMEOUT_SECONDS
        wait_for_reconnect()
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
def test_invalid_storage_uri_stops_the_start(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    factories.clear_environment(monkeypatch)
    for name, value in factories.environment("sqlite:///foyer.db", "").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RATELIMIT_STORAGE_URI", uri)

    with pytest.raises(SettingsError, match=r"RATELIMIT_STORAGE_URI: it must be memory://, or start with redis://"):
        settings.load()


@pytest.mark.parametrize("parameter", ["no_such_parameter=1", "max_connections=many"])
def test_invalid_redis_parameter_is_refused_without_the_password(parameter: str) -> None:
    with pytest.raises(SettingsError, match="RATELIMIT_STORAGE_URI: ") as stopped:
        counters_for(f"rediss://user:open-sesame@cache.example:6379/0?{parameter}")

    assert "sesame" not in str(stopped.value)

"""A real Redis that is slow, full, closed to us or not trusted: each is named as what it is, and given up quickly."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest
import redis
import time_machine
from flask.testing import FlaskClient

from app import create_app
from app.security import rate_counters
from tests.cli.doctor.doctor_output import findings, run_doctor
from tests.real.redis_program import SlowNetwork, run_redis
from tests.support import certificates, factories
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD
from tests.support.redis_server import redis_counters, wait_for_reconnect

PASSWORD = "open-sesame"
Prepare = Callable[[int, "Popen[bytes]"], object]
# By the reason in the log: Redis's options, what is done to it once it runs, the URI, and the doctor's words.
TROUBLES: dict[str, tuple[list[str], Prepare, str, str]] = {
    "memory": (["--maxmemory", "1"], lambda _port, _redis: None, "redis://127.0.0.1:{port}/0", "out of memory"),
    "password": (
        ["--requirepass", PASSWORD],
        lambda _port, _redis: None,
        "redis://:wrong@127.0.0.1:{port}/0",
        "refuses the user or the password",
    ),
    "permission": (
        ["--user", "foyer", "on", f">{PASSWORD}", "~*", "+get"],
        lambda _port, _redis: None,
        f"redis://foyer:{PASSWORD}@127.0.0.1:{{port}}/0",
        "does not let this user count",
    ),
    "read_only": (
        [],
        lambda port, _redis: redis.Redis(port=port).replicaof("127.0.0.1", 9),
        "redis://127.0.0.1:{port}/0",
        "read-only replica",
    ),
    "timeout": (
        [],
        lambda _port, process: process.send_signal(signal.SIGSTOP),
        "redis://127.0.0.1:{port}/0",
        "Redis does not answer",
    ),
    "database_number": ([], lambda _port, _redis: None, "redis://127.0.0.1:{port}/99", "no database of the number"),
    "closed": (
        ["--maxclients", "1"],
        lambda port, _redis: CONNECTED.append(occupy(port)),
        "redis://127.0.0.1:{port}/0",
        "It may have too many",
    ),
}
CONNECTED: list[redis.Redis] = []


def occupy(port: int) -> redis.Redis:
    client = redis.Redis(port=port)
    client.ping()
    return client


@contextmanager
def redis_in_trouble(reason: str, folder: Path) -> Iterator[str]:
    """Run a Redis in that trouble, and yield the URI that Foyer is set to."""
    options, prepare, uri, _ = TROUBLES[reason]
    with run_redis(folder, *options) as (port, process):
        prepare(port, process)
        yield uri.format(port=port)
        process.send_signal(signal.SIGCONT)
        while CONNECTED:
            CONNECTED.pop().close()


def unavailable_lines(log: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in log.splitlines() if '"redis.' in line]


@pytest.mark.parametrize("reason", TROUBLES)
def test_trouble_of_redis_is_named_once_and_given_up_quickly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], reason: str
) -> None:
    with redis_in_trouble(reason, tmp_path) as uri, time_machine.travel(1_800_000_000, tick=False) as clock:
        counts = redis_counters(uri)
        started = time.monotonic()
        counts.get("office")
        assert [counts.increment("office", 60) for _ in range(20)] == list(range(1, 21))
        seconds = time.monotonic() - started
        for _ in range(3):
            clock.shift(rate_counters.RECONNECT_INTERVAL_SECONDS)
            counts.get("office")
            wait_for_reconnect()

    [line] = unavailable_lines(capsys.readouterr().err)
    assert (line["event"], line["reason"], line["level"]) == ("redis.unavailable", reason, "warning")
    assert PASSWORD not in str(line)
    assert seconds < 2 * (rate_counters.CONNECT_TIMEOUT_SECONDS + rate_counters.READ_TIMEOUT_SECONDS)


@on_sqlite
@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("reason", TROUBLES)
def test_doctor_says_what_is_wrong_with_redis(environment: pytest.MonkeyPatch, tmp_path: Path, reason: str) -> None:
    with redis_in_trouble(reason, tmp_path) as uri:
        environment.setenv("RATELIMIT_STORAGE_URI", uri)

        verdict, advice = findings(run_doctor())["rate limits"]

    assert verdict == "warn"
    assert TROUBLES[reason][-1] in advice
    assert f"({reason}: " in advice
    assert PASSWORD not in advice


@on_sqlite
@pytest.mark.usefixtures("app")
def test_untrusted_certificate_is_named_and_a_trusted_one_works(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, certificate = certificates.self_signed(tmp_path, "localhost")
    tls = ["--tls-port", "{port}", "--port", "0", "--tls-auth-clients", "no"]
    files = ["--tls-cert-file", str(certificate), "--tls-key-file", str(tmp_path / "key.pem")]
    with run_redis(tmp_path, *files, *tls) as (port, _):
        environment.setenv("RATELIMIT_STORAGE_URI", f"rediss://localhost:{port}/0")
        untrusted = findings(run_doctor())["rate limits"]
        environment.setenv("RATELIMIT_STORAGE_URI", f"rediss://localhost:{port}/0?ssl_ca_certs={certificate}")
        trusted = findings(run_doctor())["rate limits"]

        environment.setenv("RATELIMIT_STORAGE_URI", f"redis://localhost:{port}/0")
        plain = findings(run_doctor())["rate limits"]

    assert plain[0] == "warn"
    assert "require TLS (rediss://)" in plain[1]
    assert untrusted[0] == "warn"
    assert "certificate is not trusted" in untrusted[1]
    assert "(certificate: " in untrusted[1]
    assert trusted == ("ok", "Rate limits are counted in Redis, for all machines together.")


@pytest.fixture
def slow_client(environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[FlaskClient, SlowNetwork]]:
    """A browser of an application whose Redis answers 0.12 s late: less than the timeout of one answer."""
    with run_redis(tmp_path) as (port, _):
        network = SlowNetwork(port, delay_seconds=0.12)
        environment.setenv("RATELIMIT_STORAGE_URI", f"redis://127.0.0.1:{network.port}/0")
        with factories.open_app(create_app()) as app:
            yield app.test_client(), network
        network.close()


@on_sqlite
def test_slow_redis_is_asked_a_few_times_and_then_not_at_all(
    slow_client: tuple[FlaskClient, SlowNetwork], capsys: pytest.CaptureFixture[str]
) -> None:
    client, network = slow_client

    started = time.monotonic()
    first = client.post("/", data={TOKEN_FIELD: "no such token"})
    seconds, answers = time.monotonic() - started, network.answers
    for number in range(5):
        client.post("/", data={TOKEN_FIELD: f"no such token, either {number}"})

    assert first.status_code == 400
    assert answers <= 3
    assert seconds < 1.5
    assert network.answers == answers
    [line] = unavailable_lines(capsys.readouterr().err)
    assert (line["event"], line["reason"]) == ("redis.unavailable", "slow")


def test_slow_answer_now_and_then_is_no_reason_to_give_redis_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with run_redis(tmp_path) as (port, _):
        direct, network = redis_counters(f"redis://127.0.0.1:{port}/0"), SlowNetwork(port, delay_seconds=0.1)
        delayed = redis_counters(f"redis://127.0.0.1:{network.port}/0")

        assert [direct.increment("office", 60), delayed.increment("office", 60)] == [1, 2]
        network.close()

    assert unavailable_lines(capsys.readouterr().err) == []

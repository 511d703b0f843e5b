"""flask doctor: where buyers' tries are counted, and whether that is there."""

import pytest

from tests.cli.doctor.doctor_output import failed_checks, findings, run_doctor
from tests.support.databases import on_sqlite
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer

pytestmark = [on_sqlite, pytest.mark.usefixtures("app")]


def test_counts_of_each_process_need_nothing() -> None:
    assert findings(run_doctor())["counts"] == ("ok", "Buyers' tries are counted in each process for itself.")


def test_a_redis_that_answers_passes(environment: pytest.MonkeyPatch) -> None:
    with RedisServer() as url:
        environment.setenv("RATELIMIT_STORAGE_URI", url)

        found = findings(run_doctor())["counts"]

    assert found == ("ok", "Buyers' tries are counted in Redis, for all machines together.")


def test_a_redis_that_is_away_is_warned_of_and_stops_nothing(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RATELIMIT_STORAGE_URI", f"redis://:secret@127.0.0.1:{free_port()}/0")

    result = run_doctor()

    word, advice = findings(result)["counts"]
    assert word == "warn"
    assert "Redis does not answer" in advice
    assert "secret" not in result.stdout
    assert "counts" not in failed_checks(result)

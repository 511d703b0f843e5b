"""foyer doctor: where rate limits are counted, and whether Redis answers."""

import pytest

from tests.cli.doctor.doctor_output import failed_checks, findings, run_doctor
from tests.support.databases import on_sqlite
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer

pytestmark = [on_sqlite, pytest.mark.usefixtures("app")]


def test_rate_limits_per_process_pass() -> None:
    assert findings(run_doctor())["rate limits"] == ("ok", "Rate limits are counted in each process for itself.")


def test_redis_that_answers_passes(environment: pytest.MonkeyPatch) -> None:
    with RedisServer() as url:
        environment.setenv("RATELIMIT_STORAGE_URI", url)

        finding = findings(run_doctor())["rate limits"]

    assert finding == ("ok", "Rate limits are counted in Redis, for all machines together.")


def test_unreachable_redis_warns_and_does_not_fail(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RATELIMIT_STORAGE_URI", f"redis://:secret@127.0.0.1:{free_port()}/0")

    result = run_doctor()

    verdict, advice = findings(result)["rate limits"]
    assert verdict == "warn"
    assert "Redis does not answer" in advice
    assert "secret" not in result.stdout
    assert "rate limits" not in failed_checks(result)

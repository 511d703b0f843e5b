"""flask doctor: where buyers' tries are counted, and whether that is there."""

import pytest

from tests.cli.doctors import examine, failing, findings
from tests.databases import on_sqlite
from tests.ports import free_port
from tests.redis import serving

pytestmark = [on_sqlite, pytest.mark.usefixtures("app")]


def test_counts_of_each_process_need_nothing() -> None:
    assert findings(examine())["counts"] == ("ok", "Buyers' tries are counted in each process for itself.")


def test_a_redis_that_answers_passes(environment: pytest.MonkeyPatch) -> None:
    with serving() as url:
        environment.setenv("RATELIMIT_STORAGE_URI", url)

        found = findings(examine())["counts"]

    assert found == ("ok", "Buyers' tries are counted in Redis, for all machines together.")


def test_a_redis_that_is_away_is_warned_of_and_stops_nothing(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RATELIMIT_STORAGE_URI", f"redis://:secret@127.0.0.1:{free_port()}/0")

    result = examine()

    word, advice = findings(result)["counts"]
    assert word == "warn"
    assert "Redis does not answer" in advice
    assert "secret" not in result.stdout
    assert "counts" not in failing(result)

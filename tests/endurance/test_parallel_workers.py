"""Parallel processes on one PostgreSQL database: one subscription per license, one registration per subscription."""

import pytest

from tests.endurance import kill_runs
from tests.endurance.kill_runs import RunEnvironment, RunLength
from tests.support.postgresql_server import DEADLOCK, SERIALIZATION_FAILURE, PostgresqlServer


@pytest.mark.parametrize("processes", [4])
def test_parallel_processes_store_no_duplicate_and_answer_every_buyer(
    postgresql_run_environment: RunEnvironment, postgresql_test_server: PostgresqlServer, processes: int
) -> None:
    length = RunLength(rounds=6)

    report = kill_runs.run_parallel_workers(postgresql_run_environment, processes, length)

    print(report)
    assert report.is_lossless(at_least=10)
    assert postgresql_test_server.count_logged_errors(DEADLOCK) == 0
    assert report.interrupted == 0


def test_serialization_failures_are_retried(
    postgresql_run_environment: RunEnvironment, postgresql_test_server: PostgresqlServer
) -> None:
    postgresql_test_server.set_repeatable_read(postgresql_run_environment.database_url)
    failures_before = postgresql_test_server.count_logged_errors(SERIALIZATION_FAILURE)

    report = kill_runs.run_parallel_workers(postgresql_run_environment, 4, RunLength(rounds=6))

    print(report)
    failures = postgresql_test_server.count_logged_errors(SERIALIZATION_FAILURE) - failures_before
    assert report.is_lossless(at_least=10)
    assert failures > 10
    assert report.log.unavailable < failures / 5

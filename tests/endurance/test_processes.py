"""Several processes on one PostgreSQL: one subscription for each license, one registration for each subscription."""

import pytest

from tests.endurance import runs
from tests.endurance.postgresql import DEADLOCK, SERIALIZATION_FAILURE, PostgreSQL
from tests.endurance.runs import Length, Stage


@pytest.mark.parametrize("processes", [4])
def test_processes_side_by_side_double_nothing_and_answer_everybody(
    own_stage: Stage, own_server: PostgreSQL, processes: int
) -> None:
    length = Length(rounds=12)

    report = runs.side_by_side(own_stage, processes, length)

    print(report)
    assert report.nothing_lost(at_least=10)
    assert own_server.logged(DEADLOCK) == 0
    assert report.disturbed == 0


def test_what_could_not_be_serialized_is_tried_again(own_stage: Stage, own_server: PostgreSQL) -> None:
    own_server.make_strict(own_stage.database_url)
    before = own_server.logged(SERIALIZATION_FAILURE)

    report = runs.side_by_side(own_stage, 4, Length(rounds=12))

    print(report)
    failures = own_server.logged(SERIALIZATION_FAILURE) - before
    assert report.nothing_lost(at_least=10)
    assert failures > 10
    refused = report.ledger.refused
    assert refused < failures / 5

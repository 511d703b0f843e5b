"""The database is away: programs are told when to come again."""

from collections.abc import Iterator

import pytest

from app import create_app
from tests import cable, factories
from tests.cable import Cable
from tests.views.api.conftest import Program
from tests.views.api.test_problems import check


@pytest.fixture
def laid(database_url: str) -> Iterator[Cable]:
    with cable.laid(database_url) as laid:
        yield laid


def test_without_the_database_a_program_is_told_to_come_again(
    environment: pytest.MonkeyPatch, laid: Cable, program: Program
) -> None:
    environment.setenv("DATABASE_URL", laid.url)
    with factories.running(create_app()) as app:
        reader = Program(app.test_client(), program.token_id, program.token)
        laid.pull(app)

        refused = reader.get("/subscriptions")
        laid.mend()
        served = reader.get("/subscriptions")

    check(refused, 503)
    assert int(refused.headers["Retry-After"]) > 0
    assert served.status_code == 200

"""The database is away: programs are told when to come again."""

from collections.abc import Iterator

import pytest

from app import create_app
from tests.support import database_proxy, factories
from tests.support.database_proxy import DatabaseProxy
from tests.views.api.conftest import ApiClient
from tests.views.api.test_problems import check_problem


@pytest.fixture
def proxy(database_url: str) -> Iterator[DatabaseProxy]:
    with database_proxy.start(database_url) as laid:
        yield laid


def test_without_the_database_a_program_is_told_to_come_again(
    environment: pytest.MonkeyPatch, proxy: DatabaseProxy, api_client: ApiClient
) -> None:
    environment.setenv("DATABASE_URL", proxy.url)
    with factories.open_app(create_app()) as app:
        reader = ApiClient(app.test_client(), api_client.token_id, api_client.token)
        proxy.disconnect(app)

        refused = reader.get("/subscriptions")
        proxy.reconnect()
        served = reader.get("/subscriptions")

    check_problem(refused, 503)
    assert int(refused.headers["Retry-After"]) > 0
    assert served.status_code == 200

"""The API while the database cannot be reached."""

from collections.abc import Iterator

import pytest

from app import create_app
from tests.support import database_proxy, factories
from tests.support.database_proxy import DatabaseProxy
from tests.views.api.conftest import ApiClient
from tests.views.api.test_problems import check_problem


@pytest.fixture
def proxy(database_url: str) -> Iterator[DatabaseProxy]:
    with database_proxy.start(database_url) as proxy:
        yield proxy


def test_database_outage_answers_503_with_retry_after(
    environment: pytest.MonkeyPatch, proxy: DatabaseProxy, api_client: ApiClient
) -> None:
    environment.setenv("DATABASE_URL", proxy.url)
    with factories.open_app(create_app()) as app:
        reader = ApiClient(app.test_client(), api_client.token_id, api_client.token)
        proxy.disconnect(app)

        unavailable = reader.get("/subscriptions")
        proxy.reconnect()
        recovered = reader.get("/subscriptions")

    check_problem(unavailable, 503)
    assert int(unavailable.headers["Retry-After"]) > 0
    assert recovered.status_code == 200

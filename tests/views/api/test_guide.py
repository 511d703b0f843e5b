"""docs/api.md: its example loop works, and it has every path, parameter and error status."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask

from app.config import fields
from app.views.api import openapi, openapi_usage, problems, queries
from tests.support.databases import on_sqlite
from tests.support.local_server import serve_app
from tests.support.subscription_rows import insert_changed_at, update_subscription
from tests.views.api.conftest import API_PREFIX, ApiClient

GUIDE = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
[LOOP] = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)]


def test_example_loop_follows_every_change(app: Flask, api_client: ApiClient) -> None:
    guide: dict[str, Any] = {}
    exec(LOOP, guide)  # noqa: S102  # the guide's own code, unchanged
    stored: dict[str, Any] = {}
    received_ids: list[str] = []

    def store(item: dict[str, Any]) -> None:
        stored[item["subscription"]["id"]] = item
        received_ids.append(item["subscription"]["id"])

    now = datetime.now(UTC)
    subscription_ids = insert_changed_at(app, *(now - timedelta(days=1, seconds=number) for number in range(410)))
    with serve_app(app) as site:
        cursor = guide["follow"](site, api_client.token, None, store)
        assert sorted(received_ids) == sorted(map(str, subscription_ids))
        update_subscription(app, subscription_ids[7], now, status="ended")
        received_ids.clear()
        for _ in range(2):
            cursor = guide["follow"](site, api_client.token, cursor, store)

    assert received_ids == [str(subscription_ids[7])]
    assert stored[str(subscription_ids[7])]["subscription"]["status"] == "ended"


def test_example_json_has_the_shape_of_responses() -> None:
    page, usage_page, problem = EXAMPLES

    assert usage_page.keys() == vars(openapi_usage.EXAMPLE_PAGE).keys()
    assert usage_page["items"][0].keys() == vars(openapi_usage.EXAMPLE_HOUR).keys()
    assert page.keys() == vars(openapi.EXAMPLE_PAGE).keys()
    assert page["items"][0].keys() == vars(openapi.EXAMPLE_ITEM).keys()
    assert problem == openapi.EXAMPLE_PROBLEM.as_json()


def test_guide_has_every_parameter_and_every_error_status() -> None:
    rows = set(map(int, re.findall(r"^\| (\d{3}) \|", GUIDE, re.MULTILINE)))

    assert rows == problems.DETAILS.keys()
    for query in (queries.Subscriptions, queries.Usage):
        assert all(f"`{name}`" in GUIDE for name in fields.declared(query))


@on_sqlite
def test_guide_has_every_path(app: Flask) -> None:
    rules = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith(f"{API_PREFIX}/")}

    assert {re.sub("<.*>", "ID", rule) for rule in rules} == set(re.findall(r"^\| `(/\S+)` \|", GUIDE, re.MULTILINE))

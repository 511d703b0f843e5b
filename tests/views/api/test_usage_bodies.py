"""Bodies of usage: JSON lists and lines are read, others are refused whole, and the answer says what to send."""

import gzip
import json
from typing import Any

import pytest
from flask import Flask

from app.models import UsageItem
from app.security.headers import MAX_USAGE_BYTES
from app.services.metering import items
from tests.support.databases import on_sqlite
from tests.support.stored_rows import all_rows
from tests.views.api.conftest import ApiClient, CreateSubscription, usage_item
from tests.views.api.test_problems import check_problem

pytestmark = on_sqlite

LINES = "application/x-ndjson"
DEEP = "[" * 100_000 + "]" * 100_000
# Each with words of the answer's detail.
INVALID_JSON = {
    "": "line 1, column 1",
    "[": "line 1, column 2",
    "[{}]]": "column 5",
    "[{'id': 1}]": "column 3",
    DEEP: "nested too deeply",
    '[{"id": "\x00"}]': "control character",
    "null": "must be a list",
    "1e400": "must be a list",
    '"text"': "must be a list",
    '{"items": []}': "put [ and ] around",
}


@pytest.fixture
def item(create_subscription: CreateSubscription) -> dict[str, Any]:
    return usage_item(subscription=str(create_subscription()))


def verdicts(response: Any) -> list[tuple[str | None, int, str]]:
    """Return id, status and verdict of each item."""
    return [(one["id"], one["status"], one["verdict"]) for one in response.get_json()["items"]]


def test_list_and_lines_are_read_alike(app: Flask, sender: ApiClient, item: dict[str, Any]) -> None:
    texts = [json.dumps({**item, "id": f"item-{number}"}) for number in range(3)]
    as_list = sender.report(f"\ufeff[{', '.join(texts)}]", "application/json; charset=utf-8")
    for media_type in (LINES, "application/jsonl", "application/ndjson"):
        as_lines = sender.report("\ufeff" + "\r\n".join(["", *texts, ""]), media_type)

        assert as_list.status_code == as_lines.status_code == 200
        assert as_list.get_json() == as_lines.get_json()
    assert verdicts(as_list) == [(f"item-{number}", 200, "accepted") for number in range(3)]
    assert len(all_rows(app, UsageItem)) == 3


def test_no_items_are_accepted_as_none(sender: ApiClient) -> None:
    for response in (sender.report([]), sender.report("", LINES), sender.report("\n\n", LINES)):
        assert (response.status_code, response.get_json()) == (200, {"items": []})


@pytest.mark.parametrize(("body", "words"), INVALID_JSON.items(), ids=map(str, range(len(INVALID_JSON))))
def test_invalid_json_is_refused_with_its_place(sender: ApiClient, body: str, words: str) -> None:
    assert words in str(check_problem(sender.report(body), 400)["detail"])


def test_body_that_is_not_utf8_is_refused(sender: ApiClient) -> None:
    for body in (b'["\xff"]', "[]".encode("utf-16")):
        assert "must be UTF-8" in str(check_problem(sender.report(body), 400)["detail"])


def test_line_that_is_invalid_is_refused_alone(app: Flask, sender: ApiClient, item: dict[str, Any]) -> None:
    lines = [json.dumps(item), "", '{"id": "broken', DEEP, "[]", json.dumps({**item, "id": "item-2"})]

    response = sender.report("\n".join(lines), LINES)

    refused = (None, 422, "refused")
    accepted = [("item-1", 200, "accepted"), refused, refused, refused, ("item-2", 200, "accepted")]
    assert (response.status_code, verdicts(response)) == (200, accepted)
    assert "Line 3 is not JSON" in response.get_json()["items"][1]["detail"]
    assert len(all_rows(app, UsageItem)) == 2


def test_field_that_is_there_twice_is_refused(app: Flask, sender: ApiClient, item: dict[str, Any]) -> None:
    twice = json.dumps(item).replace('"quantity"', '"quantity": "2", "quantity"')
    tags = json.dumps(item).replace('"quantity"', '"tags": {"team": "a", "team": "b"}, "quantity"')

    for body, field in ((twice, "quantity"), (tags, "team")):
        response = sender.report(f"[{body}]")

        assert (response.status_code, verdicts(response)) == (422, [("item-1", 422, "refused")])
        assert f"{field}' is there twice" in response.get_json()["items"][0]["detail"]
    assert all_rows(app, UsageItem) == []


def test_quantity_that_is_a_number_is_refused(app: Flask, sender: ApiClient, item: dict[str, Any]) -> None:
    for number in ("1", "1.5", "1e400", "-1", "NaN", "Infinity", "9" * 100_000):
        response = sender.report("[" + json.dumps(item).replace('"1.5"', number) + "]")

        assert (response.status_code, verdicts(response)) == (422, [("item-1", 422, "refused")])
        assert "as text" in response.get_json()["items"][0]["detail"]
    assert all_rows(app, UsageItem) == []


def test_too_many_items_are_refused_together(app: Flask, sender: ApiClient, item: dict[str, Any]) -> None:
    many = [json.dumps({**item, "id": f"item-{number}"}) for number in range(items.MAX_ITEMS + 1)]

    for response in (sender.report(f"[{','.join(many)}]"), sender.report("\n".join(many), LINES)):
        assert "may have 1000 items, and this one has 1001" in str(check_problem(response, 413)["detail"])
    assert all_rows(app, UsageItem) == []
    assert sender.report("\n".join(many[:-1]), LINES).status_code == 200


def test_other_content_is_refused(app: Flask, sender: ApiClient, item: dict[str, Any]) -> None:
    body = json.dumps([item])

    for media_type in ("", "text/csv", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"):
        assert "application/x-ndjson" in str(check_problem(sender.report(body, media_type), 415)["detail"])
    compressed = sender.report(gzip.compress(body.encode()), **{"Content-Encoding": "gzip"})
    assert "without Content-Encoding" in str(check_problem(compressed, 415)["detail"])
    assert all_rows(app, UsageItem) == []


def test_body_of_more_than_four_megabytes_is_refused(sender: ApiClient, item: dict[str, Any]) -> None:
    body = json.dumps([item])

    assert sender.report(body.ljust(MAX_USAGE_BYTES)).status_code == 200
    check_problem(sender.report(body.ljust(MAX_USAGE_BYTES + 1)), 413)


def test_read_token_sends_no_usage(api_client: ApiClient, item: dict[str, Any]) -> None:
    response = api_client.report([item])

    assert "--scope usage:write" in str(check_problem(response, 403)["detail"])
    assert "scope=usage:write" in response.headers["WWW-Authenticate"].replace('"', "")


def test_unknown_parameter_and_method_are_refused(sender: ApiClient) -> None:
    assert check_problem(sender.get("/usage", method="POST", dry_run="1"), 400)["errors"]
    check_problem(sender.get("/usage", method="PUT"), 405)

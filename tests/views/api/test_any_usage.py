"""Any body and any items: each gets an answer that says what is wrong, and the sums are those of what was accepted."""

import json
from typing import Any

import pytest
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st

from app.models import UsageHour, UsageItem
from app.services.metering import quantity
from tests.support.databases import on_sqlite
from tests.support.stored_rows import all_rows
from tests.views.api.conftest import ApiClient, CreateSubscription, usage_item

MEDIA_TYPES = ["application/json", "application/x-ndjson"]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(max_size=4), values, max_size=4),
    max_leaves=8,
)
QUANTITIES = st.one_of(
    st.from_regex(r"[0-9]{1,10}(\.[0-9]{1,12})?", fullmatch=True),
    st.sampled_from(["1e3", "NaN", "-1", "01", "17.00", "0.000000000001", "9999999999.999999999999"]),
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["a", "b", "ü"]) | JSON_VALUES,
        "subscription": JSON_VALUES,
        "dimension": st.sampled_from(["requests", "gb"]) | JSON_VALUES,
        "quantity": QUANTITIES | JSON_VALUES,
        "at": st.datetimes().map(str) | st.datetimes(timezones=st.timezones()).map(str) | JSON_VALUES,
        "tags": st.dictionaries(st.sampled_from(["team", "user", ""]), JSON_VALUES | st.text(max_size=3)),
        "other": JSON_VALUES,
    },
)


@pytest.fixture
def subscription_id(create_subscription: CreateSubscription) -> str:
    return str(create_subscription())


@on_sqlite
@given(body=st.binary() | JSON_VALUES.map(json.dumps).map(str.encode), media_type=st.sampled_from(MEDIA_TYPES))
@example(body=b'[{"id": "\\ud800"}]', media_type="application/json")
@example(body=b"[" + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"]", media_type="application/json")
@example(body=b"[" + b"9" * 10_000 + b", -0, 1e999999999999, NaN]", media_type="application/json")
def test_any_body_gets_an_answer_that_says_why(sender: ApiClient, body: bytes, media_type: str) -> None:
    response = sender.report(body, media_type)

    answer = response.get_json()
    assert response.status_code in (200, 400, 404, 409, 422)
    assert answer["detail"] if response.status_code == 400 else answer["items"] or response.status_code == 200
    json.dumps(answer, ensure_ascii=False).encode()


@given(requests=st.lists(st.lists(FIELDS, max_size=4), max_size=3))
def test_any_items_get_a_verdict_and_the_sums_are_exact(
    app: Flask, sender: ApiClient, subscription_id: str, requests: list[list[dict[str, Any]]]
) -> None:
    for fields in requests:
        response = sender.report([usage_item(**{"subscription": subscription_id, **one}) for one in fields])

        verdicts = response.get_json()["items"]
        assert [verdict["status"] in (200, 404, 409, 422) for verdict in verdicts] == [True] * len(fields)
        assert all(verdict["status"] == 200 or verdict["detail"] for verdict in verdicts)
    sums: dict[Any, int] = {}
    for item in all_rows(app, UsageItem):
        sums[item.hour_id] = sums.get(item.hour_id, 0) + quantity.join(item.micros, item.picos)
    sums.pop(None, None)
    stored = {hour.id: quantity.join(hour.micros, hour.picos) for hour in all_rows(app, UsageHour)}
    assert sums == stored
    assert all(0 <= total <= quantity.MAX_PICOS for total in stored.values())

"""The API's OpenAPI description: valid, complete, and true of the responses."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.databases import on_sqlite
from tests.views.api.conftest import API_PREFIX, ApiClient, CreateRegistration, CreateSubscription, usage_item

pytestmark = on_sqlite


@pytest.fixture
def description(client: FlaskClient) -> dict[str, Any]:
    document: dict[str, Any] = client.get(f"{API_PREFIX}/openapi.json").get_json()
    return document


def test_description_is_valid_openapi(description: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(description).validate()

    assert description["openapi"] == "3.1.0"


def test_description_has_exactly_the_existing_paths(app: Flask, description: dict[str, Any]) -> None:
    rules = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith(f"{API_PREFIX}/")}

    assert {path.replace("{id}", "") for path in description["paths"]} == {
        rule.removeprefix(API_PREFIX).partition("<")[0] for rule in rules
    }


def test_description_marks_paths_that_need_no_token(description: dict[str, Any], client: FlaskClient) -> None:
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            is_public = operation.get("security") == []
            url = f"{API_PREFIX}{path.replace('{id}', '01a207c8-85e3-70e1-8187-c3ad0186f92b')}"
            response = client.open(url, method=method.upper())

            assert response.status_code == (200 if is_public else 401)
            assert ("403" in operation["responses"]) == (not is_public)


def test_responses_and_examples_match_their_schemas(
    description: dict[str, Any],
    api_client: ApiClient,
    create_subscription: CreateSubscription,
    create_registration: CreateRegistration,
) -> None:
    create_subscription("second")
    create_registration()

    examples = [media["example"] for media in _media(description, "Page")]
    for page in (api_client.get("/subscriptions").get_json(), *examples):
        _check(page, description, "Page")
    _check(api_client.get("/subscriptions", limit="many").get_json(), description, "Problem")


def test_answers_and_examples_of_usage_match_their_schemas(
    description: dict[str, Any],
    api_client: ApiClient,
    sender: ApiClient,
    create_subscription: CreateSubscription,
) -> None:
    good = usage_item(subscription=str(create_subscription()))
    report = description["paths"]["/usage"]["post"]
    answers = {
        200: sender.report([good, {}]),
        404: sender.report([{**good, "subscription": "arn:unknown"}]),
        409: sender.report([{**good, "quantity": "2"}]),
        422: sender.report([{}, 1]),
    }

    for status, answer in answers.items():
        assert answer.status_code == status
        example = report["responses"][str(status)]["content"]["application/json"]["example"]
        for verdicts in (answer.get_json(), example):
            _check(verdicts, description, "Verdicts")
    body = report["requestBody"]["content"]["application/json"]
    _check(body["example"][0], description, "ReportedItem")
    _check(good, description, "ReportedItem")
    assert sender.report(body["example"]).status_code == 404
    for path, model in {"/usage": "UsagePage", "/usage/items": "UsageItems"}.items():
        answer = api_client.get(path, **({"id": good["id"]} if path.endswith("items") else {}))
        for page in (answer.get_json(), *(media["example"] for media in _media(description, model))):
            assert page["items"]
            _check(page, description, model)


@pytest.mark.parametrize(
    "fields", [{"quantity": 1.5}, {"quantity": "1e3"}, {"tags": {"a": "ü"}}, {"other": 1}, {"id": ""}]
)
def test_invalid_item_does_not_match_the_schema(description: dict[str, Any], fields: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        _check(usage_item(subscription="x", **fields), description, "ReportedItem")


def test_missing_field_does_not_match_the_schema(
    description: dict[str, Any], api_client: ApiClient, create_registration: CreateRegistration
) -> None:
    create_registration()
    page = api_client.get("/subscriptions").get_json()
    del page["items"][0]["registration"]["email"]

    with pytest.raises(jsonschema.ValidationError, match="'email' is a required property"):
        _check(page, description, "Page")


def _check(instance: Any, description: dict[str, Any], model: str) -> None:
    schema = {"$ref": f"#/components/schemas/{model}", "components": description["components"]}
    jsonschema.validate(instance, schema, cls=jsonschema.Draft202012Validator)


def _media(description: dict[str, Any], model: str) -> list[dict[str, Any]]:
    responses = [operations["get"]["responses"]["200"] for operations in description["paths"].values()]
    media = [media for response in responses for media in response["content"].values()]
    return [medium for medium in media if medium["schema"].get("$ref", "").endswith(f"/{model}")]

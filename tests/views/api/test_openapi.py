"""The API's OpenAPI description: valid, complete, and true of the responses."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.databases import on_sqlite
from tests.views.api.conftest import API_PREFIX, ApiClient, CreateRegistration, CreateSubscription

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
        is_public = operations["get"].get("security") == []
        status = client.get(f"{API_PREFIX}{path.replace('{id}', '01a207c8-85e3-70e1-8187-c3ad0186f92b')}").status_code

        assert status == (200 if is_public else 401)


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

"""The API's description in OpenAPI 3.1 and the JSON Schema of hand-offs, both generated from the dataclasses in use."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from apispec import APISpec
from pydantic import TypeAdapter

from app.config import fields
from app.config.fields import Declaration, OneOf, Text, WholeNumber
from app.services.api import cursors
from app.services.api.feed import Item, Page
from app.services.api.usage import UsageItems, UsagePage
from app.services.outbox import payload, payload_part
from app.services.outbox.payload import Account, Answer, Handoff, Registration, Subscription
from app.views.api import openapi_usage, problems, queries
from app.views.api.problems import Problem
from app.views.api.queries import Moment, Query
from app.views.api.usage import Verdicts

JSON_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
REF_TEMPLATE = "#/components/schemas/{model}"
EXAMPLE_TIME = datetime(2026, 11, 23, 12, tzinfo=UTC)
EXAMPLE_ID = UUID("01a207c8-85e3-70e1-8187-c3ad0186f92b")
EXAMPLE_ITEM = Item(
    subscription=Subscription(
        id=EXAMPLE_ID,
        former_ids=[],
        product_code="prodcode1234567890",
        status="active",
        status_since=EXAMPLE_TIME,
        customer_aws_account_id="123456789012",
        customer_identifier=None,
        license_arn="arn:aws:license-manager::294406891311:license:l-1a2b1a2b1a2b1a2b1a2b1a2b1a2b1a2b",
        agreement_id="agmt-4mwg1nevbokzw95eca5797ixs",
        offer_type=None,
        free_trial=None,
        ends_at=EXAMPLE_TIME + timedelta(days=365),
        entitlements=None,
    ),
    registration=Registration(
        id=UUID("01a207c8-85ef-741f-83b7-446f07d5c391"),
        company="Juniper & Lark",
        full_name="Ada Lovelace",
        email="ada@example.com",
        phone=None,
        notes=None,
        created_at=EXAMPLE_TIME,
        updated_at=EXAMPLE_TIME,
        answers=[Answer(id="team_size", label="Team size", type="number", value="12", text="12")],
    ),
    account=Account(wish="new", existing_account=None, subscription_id=None, url=None, reference=None),
    changed_at=EXAMPLE_TIME,
)
EXAMPLE_PAGE = Page(items=[EXAMPLE_ITEM], cursor=cursors.encode(cursors.INITIAL), more=False)
EXAMPLE_PROBLEM = Problem(
    title="Bad Request",
    status=400,
    detail=problems.DETAILS[400],
    reference="0123456789ab",
    errors=[problems.Fault(parameter="limit", detail="It must be a whole number from 1 to 200, and given once.")],
)
READ_ERRORS = (400, 401, 403)
CURSOR_FORMATS: dict[object, str] = {cursors.decode: "cursor", cursors.decode_usage: "usage-cursor"}
PARTS: tuple[type, ...] = (Page, Item, Problem, UsagePage, UsageItems, Verdicts)
INTRODUCTION = (
    "What AWS Marketplace's customers have bought, who has signed up for it, and what they used. A token needs the "
    "scope read, and usage:write to report usage. Lists of subscriptions are in the order in which these last changed. "
    "While `more` is true, request the next page with `cursor`; after that, the same cursor returns what changes "
    "later. Items that changed within the last minute come again: store items by their id."
)


@cache
def build_description() -> bytes:
    """Return the OpenAPI document as JSON, built once per process."""
    spec = APISpec(
        "Foyer",
        str(payload.VERSION),
        "3.1.0",
        info={"description": INTRODUCTION},
        jsonSchemaDialect=JSON_SCHEMA_DIALECT,
        servers=[{"url": problems.API_PREFIX}],
        security=[{"token": []}],
    )
    spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    # In mode "serialization" every field is required, because responses always have every field.
    _, schemas = TypeAdapter.json_schemas(
        [(part, "serialization", TypeAdapter(part)) for part in PARTS], ref_template=REF_TEMPLATE
    )
    for name, schema in schemas["$defs"].items():
        spec.components.schema(name, schema)
    spec.components.schema("ReportedItem", openapi_usage.ITEM_SCHEMA)
    problem = _response(Problem, EXAMPLE_PROBLEM.as_json(), problems.MEDIA_TYPE, "What is wrong and what to do")
    spec.components.response("Problem", problem)
    _add_paths(spec)
    return json.dumps(spec.to_dict()).encode()


@cache
def build_handoff_schema() -> bytes:
    """Return the JSON Schema of hand-offs, built once per process; docs/handoff.schema.json is a copy."""
    schema = TypeAdapter(Handoff).json_schema(mode="serialization")
    name = f"urn:foyer:handoff:{payload.VERSION}"
    return (json.dumps({"$schema": JSON_SCHEMA_DIALECT, "$id": name, **schema}, indent=2) + "\n").encode()


def _add_paths(spec: APISpec) -> None:
    lists: dict[str, type[Query]] = {"subscriptions": queries.Subscriptions, "registrations": queries.Registrations}
    for name, query in lists.items():
        page = _response(Page, payload_part.as_json(EXAMPLE_PAGE), "application/json", "The next page")
        description = "The subscription with its registration and account"
        item = _response(Item, payload_part.as_json(EXAMPLE_ITEM), "application/json", description)
        parameters = _query_parameters(query)
        _add_operation(spec, f"/{name}", page, READ_ERRORS, summary=f"List {name}", parameters=parameters)
        by_id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
        summary = f"Show one of the {name}"
        _add_operation(spec, f"/{name}/{{id}}", item, (*READ_ERRORS, 404), summary=summary, parameters=[by_id])
    _add_usage_paths(spec)
    for path, kind in {"/openapi.json": "application/json", "/schemas/handoff.json": "application/schema+json"}.items():
        document = {"description": "The description", "content": {kind: {"schema": {"type": "object"}}}}
        _add_operation(spec, path, document, (400,), summary=f"Describe {path}", parameters=[], security=[])


def _add_usage_paths(spec: APISpec) -> None:
    page = _response(UsagePage, payload_part.as_json(openapi_usage.EXAMPLE_PAGE), "application/json", "The next page")
    parameters = _query_parameters(queries.Usage)
    _add_operation(spec, "/usage", page, READ_ERRORS, summary="List hours of usage", parameters=parameters)
    items = _response(UsageItems, payload_part.as_json(openapi_usage.EXAMPLE_ITEMS), "application/json", "The items")
    parameters = _query_parameters(queries.UsageItem)
    summary = "Find items of usage by the id that the product gave them"
    _add_operation(spec, "/usage/items", items, (*READ_ERRORS, 404), summary=summary, parameters=parameters)
    responses = {
        str(status): _response(Verdicts, openapi_usage.example_verdicts(status), "application/json", description)
        for status, description in openapi_usage.VERDICT_STATUSES.items()
    }
    errors = _problems(400, 401, 403, 413, 415)
    operation = {**openapi_usage.REPORT, "responses": {**responses, **errors}}
    spec.path("/usage", operations={"post": operation})


def _add_operation(spec: APISpec, path: str, success: dict[str, Any], errors: tuple[int, ...], **fields: Any) -> None:
    spec.path(path, operations={"get": {**fields, "responses": {"200": success, **_problems(*errors)}}})


def _problems(*statuses: int) -> dict[str, str]:
    return dict.fromkeys([*map(str, statuses), "503", "default"], "Problem")


def _response(part: type, example: dict[str, Any], media_type: str, description: str) -> dict[str, Any]:
    body = {"schema": {"$ref": REF_TEMPLATE.format(model=part.__name__)}, "example": example}
    return {"description": description, "content": {media_type: body}}


def _query_parameters(query: type[Query]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "query",
            "description": declaration.description,
            "required": declaration.is_required,
            "schema": _parameter_schema(declaration),
        }
        for name, declaration in fields.declared(query).items()
    ]


def _parameter_schema(declaration: Declaration) -> dict[str, Any]:
    match declaration.kind:
        case Text(pattern, example, check=check):
            form = {"format": CURSOR_FORMATS[check]} if check in CURSOR_FORMATS else {}
            return {"type": "string", "pattern": f"^{pattern}$", "examples": [example], **form}
        case WholeNumber(minimum, maximum):
            return {"type": "integer", "minimum": minimum, "maximum": maximum, "default": declaration.default}
        case OneOf(words=words):
            return {"type": "string", "enum": list(words), "examples": list(words[:1])}
        case Moment():
            return {"type": "string", "format": "date-time", "examples": [payload_part.rfc3339(queries.EXAMPLE_HOUR)]}
    raise NotImplementedError(declaration.kind)

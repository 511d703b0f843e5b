"""Problems: how the API says that something is wrong, as RFC 9457 has it. Nothing under its address is ever HTML."""

from typing import Any, Literal

from flask import Response, g, request
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema
from werkzeug.exceptions import BadRequest, HTTPException, MethodNotAllowed, NotFound, default_exceptions
from werkzeug.routing import RequestRedirect

API_PREFIX = "/api/v1"
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 10
# What to do next.
DETAILS = {
    400: "Correct the request. GET /api/v1/openapi.json says what may be asked.",
    401: "Send a token that has not been revoked, as in Authorization: Bearer foyer_... "
    "Make one with: flask --app wsgi api-tokens create NAME",
    404: "There is nothing here that this token may read. GET /api/v1/openapi.json says what there is.",
    405: "Use GET or HEAD: there is nothing here to write.",
    413: "Send no body.",
    500: "This is our fault. Try again later; if it stays so, look for the reference in Foyer's log.",
    503: "The database cannot be used at present. Try again after as many seconds as Retry-After says.",
}


def _drop_default(schema: dict[str, Any]) -> None:
    del schema["default"]


class Fault(BaseModel):
    """One query parameter that is wrong."""

    parameter: str
    detail: str


class Problem(BaseModel):
    """What is wrong with a request, and what to do next. `reference` finds it in Foyer's log."""

    type: Literal["about:blank"] = "about:blank"
    title: str
    status: int
    detail: str
    reference: str = Field(description="The request's, as in the header X-Request-Id")
    # There, or not there: never null.
    errors: list[Fault] | SkipJsonSchema[None] = Field(default=None, json_schema_extra=_drop_default)


class InvalidQuery(BadRequest):
    """Some of the query parameters are wrong."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__()
        self.faults = faults


def is_api_request() -> bool:
    """Return whether the request is for the API, so that whatever is wrong with it is a problem and no page."""
    return request.path == API_PREFIX or request.path.startswith(f"{API_PREFIX}/")


def reject_redirects() -> None:
    """Answer 404 where Flask would lead from an address with too many slashes to the right one, in HTML."""
    if is_api_request() and isinstance(request.routing_exception, RequestRedirect):
        raise NotFound


def response_for_status(status: int) -> Response:
    """Return the problem that stands for this status."""
    return response_for(default_exceptions[status]())


def response_for(error: HTTPException) -> Response:
    """Return the problem that stands for what Flask, or one of our views, refuses."""
    status = error.code or 500
    problem = Problem(
        title=error.name,
        status=status,
        detail=DETAILS.get(status, DETAILS[400]),
        reference=g.get("reference", ""),
        errors=error.faults if isinstance(error, InvalidQuery) else None,
    )
    response = Response(problem.model_dump_json(exclude_none=True), status, mimetype=MEDIA_TYPE)
    response.headers.update(_headers(error, status))
    return response


def _headers(error: HTTPException, status: int) -> dict[str, str]:
    headers = dict(error.get_headers())
    del headers["Content-Type"]
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return headers | ({"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {})

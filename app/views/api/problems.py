"""The API's errors as RFC 9457 problem details. No response under its prefix is ever HTML."""

import json
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from flask import Response, g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException

from app.services.outbox.payload_part import SchemaKeywords

API_PREFIX = "/api/v1"
MEDIA_TYPE = "application/problem+json"
# The `detail` of each status: what the client should do next.
DETAILS = {
    400: "Correct the request. GET /api/v1/openapi.json describes all parameters.",
    401: "Send a token that has not been revoked, as in Authorization: Bearer foyer_... "
    "Create one with: foyer api-tokens create NAME",
    403: "Send a token that has the scope. Create one with: foyer api-tokens create NAME --scope SCOPE",
    404: "Nothing here that this token may read. GET /api/v1/openapi.json lists all paths.",
    405: "Use one of the methods in the header Allow.",
    413: "Send less: usage may have 4 MB, and other requests need no body.",
    415: "Send JSON, not compressed. GET /api/v1/openapi.json describes it.",
    500: "Foyer failed. Try again later; if it fails again, search Foyer's log for the reference.",
    503: "The database is not available. Try again after the number of seconds in Retry-After.",
}


@dataclass(frozen=True)
class Fault:
    """One invalid query parameter."""

    parameter: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong with a request and what to do next. Search Foyer's log for the `reference`."""

    type: Literal["about:blank"] = "about:blank"
    title: str
    status: int
    detail: str
    reference: Annotated[str, SchemaKeywords({"description": "The id of the request, as in the header X-Request-Id"})]
    errors: list[Fault] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the problem as JSON has it: without `errors` where there are none."""
        return {name: value for name, value in asdict(self).items() if name != "errors" or value}


class InvalidQuery(BadRequest):
    """Some query parameters are invalid."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__()
        self.faults = faults


class RefusedBody(HTTPException):
    """The body cannot be read. `detail` says what to send."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__()
        self.code = code
        self.detail = detail


class MissingScope(Forbidden):
    """The token may not do this: see https://www.rfc-editor.org/rfc/rfc6750#section-3.1."""

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.detail = (
            f"The token does not have the scope {scope}. Create one that has it with: "
            f"foyer api-tokens create NAME --scope {scope}"
        )
        self._www_authenticate = WWWAuthenticate(
            "bearer", {"realm": "Foyer", "error": "insufficient_scope", "scope": scope}
        )

    def get_headers(self, *arguments: Any) -> list[tuple[str, str]]:
        """Return the headers of the response."""
        return [*super().get_headers(*arguments), ("WWW-Authenticate", str(self._www_authenticate))]


def is_api_request() -> bool:
    """Return whether the request is for the API, so that its errors are problem details and no HTML page."""
    return request.path == API_PREFIX or request.path.startswith(f"{API_PREFIX}/")


def response_for(error: HTTPException) -> Response:
    """Return the problem details of an error that Flask or one of our views raised."""
    status = error.code or 500
    problem = Problem(
        title=error.name,
        status=status,
        detail=getattr(error, "detail", None) or DETAILS.get(status, DETAILS[400]),
        reference=g.get("reference", ""),
        errors=error.faults if isinstance(error, InvalidQuery) else [],
    )
    response = Response(
        json.dumps(problem.as_json(), ensure_ascii=False, separators=(",", ":")), status, mimetype=MEDIA_TYPE
    )
    response.headers.update((name, value) for name, value in error.get_headers() if name != "Content-Type")
    return response

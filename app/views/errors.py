"""The fault table: each exception's status, page and log level, for every way a request can fail."""

from dataclasses import dataclass, replace

import structlog
from flask import Flask, Response, g, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from app import errors
from app.observability import logs, metrics
from app.views import draft_cookie, landing, template_helpers
from app.views.api import problems

log = structlog.get_logger()

RETRY_SECONDS = "10"
FORM_FIELDS = {"csrf_token", *draft_cookie.ASKED}
MOST_FIELDS = 20
# What our links ask of a page.
ASKED_OF_PAGES = ("change", "still")


@dataclass(frozen=True)
class Fault:
    """How a fault is answered: to the buyer a page and a status, to the operator a log level.

    `again` offers the buyer one press that sends the same request once more.
    """

    status: int
    page: str
    level: str
    again: bool = False


FAULTS: dict[type[Exception], Fault] = {
    errors.MissingToken: Fault(400, "missing_token", "warning"),
    errors.InvalidToken: Fault(400, "invalid_token", "warning"),
    errors.ExpiredToken: Fault(400, "expired_token", "info"),
    errors.UnknownProduct: Fault(404, "unknown_product", "error"),
    errors.TooManyLandings: Fault(429, "too_many", "warning", again=True),
    errors.NoPurchase: Fault(403, "no_purchase", "info"),
    errors.RegisteredMeanwhile: Fault(409, "registered_meanwhile", "info"),
    errors.Throttled: Fault(503, "throttled", "warning", again=True),
    errors.MarketplaceUnavailable: Fault(503, "aws_unavailable", "warning", again=True),
    errors.ApiDisabled: Fault(500, "api_disabled", "error", again=True),
    errors.CredentialsRefused: Fault(500, "credentials_refused", "error", again=True),
    errors.PermissionDenied: Fault(500, "permission_denied", "error", again=True),
    errors.IncompleteAnswer: Fault(502, "incomplete_answer", "error", again=True),
    errors.DatabaseUnavailable: Fault(503, "not_saved", "error", again=True),
}
UNEXPECTED = Fault(500, "our_fault", "error", again=True)
FORESEEN_BY_NOBODY = "Unexpected"
BAD_REQUEST = Fault(400, "bad_request", "info")
BY_STATUS = {
    404: Fault(404, "not_found", "info"),
    405: Fault(405, "not_found", "info"),
    413: Fault(413, "too_large", "info"),
    500: UNEXPECTED,
}


def init_app(app: Flask) -> None:
    """Answer every fault of the table, and every one that is not in it, with a page that helps."""
    for kind in FAULTS:
        app.register_error_handler(kind, answer)
    metrics.foresee([*(kind.__name__ for kind in FAULTS), FORESEEN_BY_NOBODY])
    app.register_error_handler(HTTPException, answer_http)
    app.register_error_handler(Exception, answer)


def answer(error: Exception) -> Response:
    """Answer one of our exceptions, or one that nobody foresaw."""
    fault = FAULTS.get(type(error), UNEXPECTED)
    name = type(error).__name__
    logs.note(name if type(error) in FAULTS else FORESEEN_BY_NOBODY)
    write = getattr(log, fault.level)
    write("request.failed", fault=name, code=getattr(error, "code", None), **_trace(error, fault))
    if problems.concerns():
        return problems.of_status(fault.status)
    response = _page(fault)
    if isinstance(error, errors.TooManyLandings):
        response.headers["Retry-After"] = str(error.seconds)
    return response


def answer_http(error: HTTPException) -> Response:
    """Answer what Flask itself refuses: no such page, wrong method, too much sent, a strange host."""
    logs.note(type(error).__name__)
    if problems.concerns():
        return problems.of(error)
    response = _page(BY_STATUS.get(error.code or 500, replace(BAD_REQUEST, status=error.code or 500)))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _trace(error: Exception, fault: Fault) -> dict[str, Exception]:
    return {"exc_info": error} if fault is UNEXPECTED else {}


def _page(fault: Fault) -> Response:
    page = render_template(
        f"errors/{fault.page}.html",
        reference=g.get("reference"),
        again=_again() if fault.again else None,
        kept=draft_cookie.kept(),
    )
    headers = {"Retry-After": RETRY_SECONDS} if fault.status == 503 else {}
    if fault.status == 503 and request.method == "GET" and not template_helpers.is_still():
        headers["Refresh"] = template_helpers.refresh(RETRY_SECONDS)
    return Response(page, fault.status, headers)


def _again() -> dict[str, object]:
    """Return what one press on the page sends: the buyer's own request, once more."""
    asked = [(name, "") for name in ASKED_OF_PAGES if name in request.args]
    return {
        "method": request.method,
        "action": request.path,
        "fields": _fields() if request.method == "POST" else asked,
    }


def _fields() -> list[tuple[str, str]]:
    """Return the fields that our pages read, and no more of whatever was sent."""
    names = [*(name for name in request.form if name in FORM_FIELDS), *landing.marketplace_fields()]
    return [(name, _shown(request.form[name])) for name in names[:MOST_FIELDS]]


def _shown(value: str) -> str:
    # No HTML can hold the others.
    return "".join(character for character in value if character.isprintable() or character in "\r\n\t")

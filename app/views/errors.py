"""The table of errors: each exception's HTTP status, page and log level."""

from dataclasses import dataclass

import structlog
from flask import Flask, Response, g, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, default_exceptions

from app import errors
from app.observability import logs, metrics
from app.security.headers import UntrustedHost
from app.services.signup.registrations import TYPED_FIELDS
from app.text import strip_unprintable
from app.views import browser_session, draft_cookie, landing, template_helpers
from app.views.api import problems

log = structlog.get_logger()

RETRY_AFTER_SECONDS = "10"
FORM_FIELDS = {"csrf_token", *TYPED_FIELDS}
MAX_RESENT_FIELDS = 20


@dataclass(frozen=True)
class ErrorPage:
    """The status, page and log level of an error. `offers_retry`: a button on the page sends the request again."""

    status: int
    page: str
    level: str
    offers_retry: bool = False


ERROR_PAGES: dict[type[Exception], ErrorPage] = {
    errors.MissingToken: ErrorPage(400, "missing_token", "warning"),
    errors.InvalidToken: ErrorPage(400, "invalid_token", "warning"),
    errors.ExpiredToken: ErrorPage(400, "expired_token", "info"),
    errors.UnknownProduct: ErrorPage(404, "unknown_product", "error"),
    errors.TooManyLandings: ErrorPage(429, "too_many", "warning", offers_retry=True),
    errors.NoPurchase: ErrorPage(403, "no_purchase", "info"),
    errors.RegisteredMeanwhile: ErrorPage(409, "registered_meanwhile", "info"),
    errors.Throttled: ErrorPage(503, "throttled", "warning", offers_retry=True),
    errors.MarketplaceUnavailable: ErrorPage(503, "aws_unavailable", "warning", offers_retry=True),
    errors.ApiDisabled: ErrorPage(500, "api_disabled", "error", offers_retry=True),
    errors.CredentialsRefused: ErrorPage(500, "credentials_refused", "error", offers_retry=True),
    errors.SetupInvalid: ErrorPage(500, "our_fault", "error", offers_retry=True),
    errors.PermissionDenied: ErrorPage(500, "permission_denied", "error", offers_retry=True),
    errors.IncompleteAnswer: ErrorPage(502, "incomplete_answer", "error", offers_retry=True),
    errors.DatabaseUnavailable: ErrorPage(503, "not_saved", "error", offers_retry=True),
}
UNEXPECTED_ERROR = ErrorPage(500, "our_fault", "error", offers_retry=True)
UNEXPECTED_OUTCOME = "Unexpected"
PAGE_BY_STATUS = {404: "not_found", 405: "not_found", 413: "too_large"}


def init_app(app: Flask) -> None:
    """Register the handlers, and start the counter of each outcome at 0: alarms need the series to exist."""
    for kind in ERROR_PAGES:
        app.register_error_handler(kind, handle_error)
    metrics.initialise([*(kind.__name__ for kind in (*ERROR_PAGES, UntrustedHost)), UNEXPECTED_OUTCOME])
    app.register_error_handler(HTTPException, handle_http_error)
    app.register_error_handler(Exception, handle_error)


def handle_error(error: Exception) -> Response:
    """Respond to one of our exceptions, or log an unexpected one with its traceback."""
    error_page = ERROR_PAGES.get(type(error), UNEXPECTED_ERROR)
    name = type(error).__name__
    logs.set_outcome(name if type(error) in ERROR_PAGES else UNEXPECTED_OUTCOME, **browser_session.ids())
    if isinstance(error, errors.DatabaseUnavailable):
        draft_cookie.save_in_cookie_only()
    exc_info = error if error_page is UNEXPECTED_ERROR else None
    getattr(log, error_page.level)("request.failed", fault=name, code=getattr(error, "code", None), exc_info=exc_info)
    response = _respond(default_exceptions[error_page.status](), error_page)
    if isinstance(error, errors.TooManyLandings):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def handle_http_error(error: HTTPException) -> Response:
    """Respond to what Flask itself refuses: unknown path, wrong method, body too large, untrusted host."""
    logs.set_outcome(type(error).__name__)
    status = error.code or 500
    page = ErrorPage(status, PAGE_BY_STATUS.get(status, "bad_request"), "info")
    response = _respond(error, UNEXPECTED_ERROR if status == 500 else page)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _respond(error: HTTPException, error_page: ErrorPage) -> Response:
    """Return problem details to a client of the API, and the page to a browser."""
    response = problems.response_for(error) if problems.is_api_request() else _render(error_page)
    if response.status_code == 503:
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    return response


def _render(error_page: ErrorPage) -> Response:
    page = render_template(
        f"errors/{error_page.page}.html",
        reference=g.get("reference"),
        retry_form=_retry_form() if error_page.offers_retry else None,
        saved_fields=draft_cookie.saved_fields,
        unsaved_fields=draft_cookie.unsaved_fields,
    )
    headers = {}
    if error_page.status == 503 and request.method == "GET" and not template_helpers.is_refresh_paused():
        headers["Refresh"] = template_helpers.refresh_header(RETRY_AFTER_SECONDS)
    return Response(page, error_page.status, headers)


def _retry_form() -> dict[str, object]:
    """Return what the page's button sends: the buyer's own request, without the fields that our pages do not read."""
    if request.method == "POST":
        names = [*(name for name in request.form if name in FORM_FIELDS), *landing.marketplace_field_names()]
        values = [(name, request.form[name]) for name in names[:MAX_RESENT_FIELDS]]
        # A question may have several answers, each in a field of its own.
        questions = draft_cookie.question_field_names()
        values += [(name, value) for name in questions for value in request.form.getlist(name)]
        values = [(name, strip_unprintable(value, keep="\r\n\t")) for name, value in values]
    else:
        values = [(name, "") for name in template_helpers.PAGE_QUERY_PARAMETERS if name in request.args]
    return {"method": request.method, "action": request.path, "fields": values}

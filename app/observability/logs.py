"""Logs events, with ids as fields and never a token or personal data, and one line per request."""

import logging
import sys
import time
import traceback
from typing import Any

import structlog
from flask import Flask, Response, g, request
from flask.logging import wsgi_errors_stream
from structlog.typing import EventDict, Processor

from app.config.settings import Settings
from app.errors import DatabaseUnavailable, MarketplaceError
from app.observability import metrics, references

log = structlog.get_logger()

# botocore writes request bodies at DEBUG: the registration token is in them.
NOISY_LOGGERS = ("botocore", "httpcore2", "urllib3", "alembic.runtime.plugins")
# At an invalid response, these write its whole URL and parts of its body.
LEAKY_LOGGERS = ("urllib3.connection", "urllib3.connectionpool")
HTTP_METHODS = {"GET", "HEAD", "POST", "OPTIONS"}
QUIET_ENDPOINTS = {"static", "well_known.security", "well_known.robots"}


def init_app(app: Flask, settings: Settings) -> None:
    """Configure all logging, to standard error in the format of `LOG_FORMAT`, and log each request."""
    app.before_request(_start_request)
    app.after_request(_log_request)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _strip_exception_text,
    ]
    console = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    renderer: Processor = structlog.processors.JSONRenderer() if settings.log_format == "json" else console
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        # Standard output is for what a command prints. WriteLogger makes one write per line: lines of several processes
        # never mix.
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
    )
    handler = logging.StreamHandler(wsgi_errors_stream)  # type: ignore[call-overload]  # a proxy of a stream
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(renderer, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=settings.log_level, force=True)
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in LEAKY_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)


def _strip_exception_text(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by its type and stack frames: its text can contain a buyer's answers."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        event["frames"] = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    return event


def _start_request() -> None:
    g.started = time.perf_counter()
    g.reference = references.create()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request=g.reference)


def set_outcome(outcome: str, **ids: Any) -> None:
    """Set the request's outcome, for its log line and its metrics, and add the ids to its log lines."""
    g.outcome = outcome
    structlog.contextvars.bind_contextvars(**ids)


def chore_failed(chore: str, error: Exception) -> None:
    """Log a failed chore of the worker: the code of an expected error, the stack frames of any other."""
    if isinstance(error, DatabaseUnavailable | MarketplaceError):
        log.error("worker.failed", chore=chore, fault=type(error).__name__, code=error.code)
    else:
        log.error("worker.failed", chore=chore, fault=type(error).__name__, exc_info=error)


def _log_request(response: Response) -> Response:
    # A request that is refused before `_start_request` has no start time.
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    response.headers["X-Request-Id"] = g.get("reference", "")
    route = request.url_rule.rule if request.url_rule else "unmatched"
    method = request.method if request.method in HTTP_METHODS else "other"
    outcome = g.get("outcome")
    metrics.request_duration.labels(route, method, str(response.status_code)).observe(seconds)
    if outcome and (counter := metrics.COUNTERS_BY_ENDPOINT.get(request.endpoint or "")):
        counter.labels(outcome).inc()
    is_quiet = request.blueprint == "health" or request.endpoint in QUIET_ENDPOINTS
    write = log.debug if is_quiet else log.info
    fields = {"method": method, "route": route, "status": response.status_code, "outcome": outcome}
    write("request.answered", **fields, milliseconds=round(seconds * 1000, 1))
    return response

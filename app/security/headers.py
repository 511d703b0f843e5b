"""Protection of every page: the session cookie, trusted hosts and proxies, size limits, and security headers."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from flask import Flask, Response, current_app, request, session
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import SignatureExpired, TimestampSigner, URLSafeTimedSerializer
from werkzeug.exceptions import RequestEntityTooLarge, SecurityError
from werkzeug.http import parse_list_header
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from app.config.settings import Settings
from app.text import strip_unprintable

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger()

SESSION_HOURS = 24
MAX_BODY_BYTES = 64 * 1024
# A thousand items of usage, the longest that there are.
MAX_USAGE_BYTES = 4 * 1024 * 1024
USAGE_PATH, FORM_PATH = "/api/v1/usage", "/signup"
# Of a character in a form's body: the longest have 4 bytes in UTF-8, and each is sent as %F0.
FORM_BYTES_OF_CHARACTER = 12
# By method and path, what this process takes: gunicorn collects a request before an application is asked.
BODY_LIMITS = {("POST", USAGE_PATH): MAX_USAGE_BYTES}
# nginx reads the head of a response, the status line and all headers, into one buffer of 4096 bytes; a longer head is
# a 502 for the buyer. OTHER_HEADERS_BYTES is for everything but cookies and a long Location: what gunicorn and this
# module add to each response, and the longest Refresh.
MAX_HEAD_BYTES = 4096
OTHER_HEADERS_BYTES = 1000
# The name and the attributes of a cookie: __Host-, Expires, Max-Age, Path, Secure, HttpOnly and SameSite.
COOKIE_ATTRIBUTES_BYTES = 180
# The longest host name that DNS allows, and a port.
MAX_LOGGED_HOST_LENGTH = 260

SECURITY_HEADERS = {
    # Nothing on a page connects, as no script runs. Without connect-src, Lighthouse cannot load robots.txt.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
HSTS = "max-age=31536000"
# As Fernet does for drafts and links.
MAX_CLOCK_DIFFERENCE = timedelta(minutes=1)


class TolerantSigner(TimestampSigner):
    """Accepts what a machine signed whose clock is up to a minute ahead of this one's."""

    def unsign(self, signed_value: str | bytes, max_age: int | None = None, return_timestamp: bool = False) -> Any:
        """Return the value, or the value and its time. Raises BadSignature, or SignatureExpired, as its base does."""
        try:
            return super().unsign(signed_value, max_age, return_timestamp)  # type: ignore[call-overload]
        except SignatureExpired as error:
            ahead = error.date_signed - datetime.now(UTC) if error.date_signed else timedelta()
            if not timedelta() < ahead <= MAX_CLOCK_DIFFERENCE:
                raise
            return super().unsign(signed_value, None, return_timestamp)  # type: ignore[call-overload]


class PlainJson:
    """The serializer of sessions. They hold plain JSON values alone: Flask's would look through them for others."""

    loads = staticmethod(json.loads)

    @staticmethod
    def dumps(session: dict[str, object]) -> str:
        """Return the session as JSON without blanks."""
        return json.dumps(session, separators=(",", ":"))


class TolerantSessionInterface(SecureCookieSessionInterface):
    """Flask's sessions, as plain JSON, read with a `TolerantSigner`."""

    serializer = PlainJson()  # type: ignore[assignment]

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return Flask's serializer with our signer; None where no SECRET_KEY is set."""
        serializer = super().get_signing_serializer(app)
        if serializer:
            serializer.signer = TolerantSigner
        return serializer


SESSION_INTERFACE = TolerantSessionInterface()


def init_app(app: Flask, settings: Settings) -> None:
    """Set up the session cookie, trusted proxies and hosts, body limits and response headers."""
    secure = settings.session_cookie_secure
    app.config.from_mapping(
        SECRET_KEY=settings.secret_key,
        SECRET_KEY_FALLBACKS=list(settings.secret_key_fallbacks),
        # Flask and Flask-WTF do not know this name: with these keys they verify nothing.
        SECRET_KEY_LEAKED=list(settings.secret_key_leaked),
        # Lax, not Strict: the browser has to send the cookie on the redirect after AWS's cross-site POST.
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_NAME=cookie_name("session", secure=secure),
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=SESSION_HOURS),
        # A form is valid for as long as its session.
        WTF_CSRF_TIME_LIMIT=None,
        # A form that is open while the key is rotated stays valid, as the session does. Newest last.
        WTF_CSRF_SECRET_KEY=[*settings.secret_key_fallbacks, settings.secret_key],
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES,
        MAX_FORM_PARTS=100,
        MAX_SIGNUP_BYTES=MAX_BODY_BYTES,
    )
    app.session_interface = SESSION_INTERFACE
    if hops := settings.trusted_proxies:
        # Not X-Forwarded-Host: a load balancer that keeps Host passes on any X-Forwarded-Host of the browser's.
        fixed = ProxyFix(app.wsgi_app, x_for=hops, x_proto=1)
        app.wsgi_app = SchemeOfOutermostProxy(fixed, hops)  # type: ignore[method-assign]
    # Host names are case-insensitive, in the setting too.
    app.extensions["trusted_hosts"] = [host.lower() for host in settings.trusted_hosts]
    app.before_request(_reject_untrusted_hosts)
    app.before_request(_reject_oversized_bodies)
    usual = {**SECURITY_HEADERS, "Cache-Control": "no-store", **({"Strict-Transport-Security": HSTS} if secure else {})}
    app.after_request(lambda response: _add_headers(response, usual))


def allow_longer_form(app: Flask, characters: int) -> None:
    """Let the sign-up form have so many characters more than those of its built-in questions."""
    limit = MAX_BODY_BYTES + FORM_BYTES_OF_CHARACTER * characters
    app.config["MAX_SIGNUP_BYTES"] = BODY_LIMITS[("POST", FORM_PATH)] = limit


class UntrustedHost(SecurityError):
    """The request's Host is not in TRUSTED_HOSTS."""


class SchemeOfOutermostProxy:
    """WSGI middleware that leaves in X-Forwarded-Proto the scheme that the outermost trusted proxy saw.

    Some proxies append their value and some replace the header: behind two proxies there may be one value. ProxyFix
    trusts such a header in no part. Its last value always comes from a trusted proxy.
    """

    def __init__(self, application: "WSGIApplication", hops: int) -> None:
        self._application = application
        self._hops = hops

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Shorten the header to one value, and call the application."""
        if schemes := parse_list_header(environ.get("HTTP_X_FORWARDED_PROTO", "")):
            environ["HTTP_X_FORWARDED_PROTO"] = schemes[-self._hops :][0]
        return self._application(environ, start_response)


def cookie_name(name: str, *, secure: bool) -> str:
    """Return the cookie's full name; over HTTPS with the prefix `__Host-`."""
    # A __Host- cookie cannot be set from a sibling subdomain or over plain HTTP.
    return f"__Host-{name}" if secure else name


def free_head_bytes() -> int:
    """Return how many bytes of this response's head are left for a cookie or a long Location.

    The session's cookie is counted if this response sets it.
    """
    free = MAX_HEAD_BYTES - OTHER_HEADERS_BYTES
    serializer = SESSION_INTERFACE.get_signing_serializer(current_app)
    if serializer is None or not SESSION_INTERFACE.should_set_cookie(current_app, session):
        return free
    return free - COOKIE_ATTRIBUTES_BYTES - len(serializer.dumps(dict(session)))


def is_trusted_host(host: str) -> bool:
    """Return whether pages are served under this host name: one of TRUSTED_HOSTS, or any if there are none."""
    trusted: list[str] = current_app.extensions["trusted_hosts"]
    return not trusted or host_is_trusted(host.lower(), trusted)


def _reject_untrusted_hosts() -> None:
    # A load balancer sends health checks to the address, not to the host name.
    if request.blueprint == "health" or is_trusted_host(request.host):
        return
    # A proxy that does not keep Host mostly sends it as X-Forwarded-Host: the log shows both.
    headers = {"host": request.headers.get("Host"), "forwarded_host": request.headers.get("X-Forwarded-Host")}
    shown = {name: strip_unprintable(host or "")[:MAX_LOGGED_HOST_LENGTH] for name, host in headers.items()}
    log.warning("host.refused", **shown, setting="TRUSTED_HOSTS")
    raise UntrustedHost


def max_body_bytes(method: str, path: str) -> int:
    """Return how many bytes of body a request to this process may have."""
    return BODY_LIMITS.get((method, path), MAX_BODY_BYTES)


def _reject_oversized_bodies() -> None:
    limit = max_body_bytes(request.method, request.path)
    if (request.method, request.path) == ("POST", FORM_PATH):
        limit = current_app.config["MAX_SIGNUP_BYTES"]
    request.max_content_length = request.max_form_memory_size = limit
    # A chunked body announces no length: Werkzeug cuts it off at the limit and treats the rest as complete.
    if "Transfer-Encoding" in request.headers and len(request.get_data()) >= limit:
        raise RequestEntityTooLarge


def _add_headers(response: Response, usual: dict[str, str]) -> Response:
    """Add the usual headers, but none that the view has set: files may be cached, and shown on other sites."""
    own = {name.title() for name, _ in response.headers}
    response.headers.extend((name, value) for name, value in usual.items() if name not in own)
    return response

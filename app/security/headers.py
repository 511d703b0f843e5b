"""Protection of every page: the session cookie, trusted hosts and proxies, size limits, and security headers."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, Response, request
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import SignatureExpired, TimestampSigner, URLSafeTimedSerializer
from werkzeug.exceptions import RequestEntityTooLarge, SecurityError
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from app.config.settings import Settings

SESSION_HOURS = 24
MAX_BODY_BYTES = 64 * 1024

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
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


class TolerantSessionInterface(SecureCookieSessionInterface):
    """Flask's sessions, read with a `TolerantSigner`."""

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return Flask's serializer with our signer; None where no SECRET_KEY is set."""
        serializer = super().get_signing_serializer(app)
        if serializer:
            serializer.signer = TolerantSigner
        return serializer


def init_app(app: Flask, settings: Settings) -> None:
    """Set up the session cookie, trusted proxies and hosts, body limits and response headers."""
    secure = settings.session_cookie_secure
    app.config.from_mapping(
        SECRET_KEY=settings.secret_key,
        SECRET_KEY_FALLBACKS=list(settings.secret_key_fallbacks),
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
    )
    app.session_interface = TolerantSessionInterface()
    if hops := settings.trusted_proxies:
        # Not X-Forwarded-Host: a load balancer that keeps Host passes on any X-Forwarded-Host of the browser's.
        app.wsgi_app = ProxyFix(app.wsgi_app, hops, hops)  # type: ignore[method-assign]
    if settings.trusted_hosts:
        # Host names are case-insensitive, in the setting too.
        trusted = [host.lower() for host in settings.trusted_hosts]
        app.before_request(lambda: _reject_untrusted_hosts(trusted))
    app.before_request(_reject_oversized_bodies)
    app.after_request(lambda response: _add_security_headers(response, secure))


def cookie_name(name: str, *, secure: bool) -> str:
    """Return the cookie's full name; over HTTPS with the prefix `__Host-`."""
    # A __Host- cookie cannot be set from a sibling subdomain or over plain HTTP.
    return f"__Host-{name}" if secure else name


def _reject_untrusted_hosts(trusted: list[str]) -> None:
    # A load balancer sends health checks to the address, not to the host name.
    if request.blueprint != "health" and not host_is_trusted(request.host.lower(), trusted):
        raise SecurityError


def _reject_oversized_bodies() -> None:
    # A chunked body announces no length: Werkzeug cuts it off at the limit and treats the rest as complete.
    if "Transfer-Encoding" in request.headers and len(request.get_data()) >= MAX_BODY_BYTES:
        raise RequestEntityTooLarge


def _add_security_headers(response: Response, secure: bool) -> Response:
    response.headers.update(SECURITY_HEADERS)
    if secure:
        response.headers["Strict-Transport-Security"] = HSTS
    # Only static files set their own Cache-Control.
    response.headers.setdefault("Cache-Control", "no-store")
    return response

"""Authenticates the read API by bearer token: https://www.rfc-editor.org/rfc/rfc6750"""

from flask import g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from app.observability import logs
from app.services.api import tokens


def authenticate() -> None:
    """Set `g.reader` to what the request's token may read; raise Unauthorized unless it has a valid token."""
    authorization = request.headers.get("Authorization")
    if authorization is None:
        raise _unauthorized()
    scheme, _, token = authorization.partition(" ")
    reader = tokens.authenticate(token.strip()) if scheme.lower() == "bearer" else None
    if reader is None:
        raise _unauthorized(error="invalid_token", error_description="The token is unknown or has been revoked.")
    g.reader = reader
    logs.set_outcome("read", api_token=str(reader.token_id))


def _unauthorized(**details: str | None) -> Unauthorized:
    # RFC 6750, section 3.1: a request without credentials gets no error code.
    return Unauthorized(www_authenticate=WWWAuthenticate("bearer", {"realm": "Foyer", **details}))

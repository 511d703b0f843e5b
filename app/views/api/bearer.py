"""Bearer tokens, as RFC 6750 has them: without one that is good, nobody reads anything of anybody."""

from collections.abc import Container

from flask import Blueprint, g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from app.observability import logs
from app.services.api import tokens

REALM = "Foyer"


def require_token(blueprint: Blueprint, public_endpoints: Container[str | None]) -> None:
    """Let only those with a token into the blueprint, but for the endpoints that are open to all."""

    def let_in() -> None:
        if request.endpoint not in public_endpoints:
            _authenticate()

    blueprint.before_request(let_in)


def _authenticate() -> None:
    presented = request.headers.get("Authorization")
    if presented is None:
        raise _unauthorized()
    scheme, _, token = presented.partition(" ")
    reader = tokens.authenticate(token.strip()) if scheme.lower() == "bearer" else None
    if reader is None:
        raise _unauthorized(error="invalid_token", error_description="The token is unknown or has been revoked.")
    g.reader = reader
    logs.set_outcome("read", api_token=str(reader.token_id))


def _unauthorized(**details: str | None) -> Unauthorized:
    # Who sent none is told no error: they may not have known that it takes one.
    return Unauthorized(www_authenticate=WWWAuthenticate("bearer", {"realm": REALM, **details}))

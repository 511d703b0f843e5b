"""What programs look for at addresses of their own: whom to tell of a weakness, the public keys, nothing to index."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from flask import Blueprint, Response, jsonify

from app.config import products
from app.security import sign_in_tokens

blueprint = Blueprint("well_known", __name__)

# RFC 9116 recommends less than a year; whoever reads it later reads it again.
SECURITY_TXT_TTL = timedelta(days=90)


@blueprint.get("/.well-known/security.txt")
def security() -> Response:
    """Say whom to write to about a weakness, as RFC 9116 has it."""
    addresses = dict.fromkeys(product.support_email for product in products.current().values())
    contacts = [f"Contact: mailto:{quote(address, safe='@+')}" for address in addresses]
    expires = (datetime.now(UTC) + SECURITY_TXT_TTL).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _text_response(*contacts, f"Expires: {expires}", "Preferred-Languages: en")


@blueprint.get("/.well-known/jwks.json")
def keys() -> Response:
    """Give products the public keys with which they verify who comes, as RFC 7517 has it."""
    return jsonify(sign_in_tokens.jwk_set())


@blueprint.get("/robots.txt")
def robots() -> Response:
    """Ask search engines to leave out what is only for buyers on their way."""
    return _text_response("User-agent: *", "Disallow: /")


def _text_response(*lines: str) -> Response:
    return Response("".join(f"{line}\n" for line in lines), mimetype="text/plain")

"""The files that programs fetch by a well-known path: security.txt, the JWK Set and robots.txt."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from flask import Blueprint, Response, jsonify

from app.config import products
from app.security import sign_in_tokens

blueprint = Blueprint("well_known", __name__)

# RFC 9116 recommends less than a year. The date is computed per request, so the file never expires.
SECURITY_TXT_TTL = timedelta(days=90)


@blueprint.get("/.well-known/security.txt")
def security() -> Response:
    """Return the contacts for vulnerability reports (RFC 9116)."""
    addresses = dict.fromkeys(product.support_email for product in products.current().values())
    contacts = [f"Contact: mailto:{quote(address, safe='@+')}" for address in addresses]
    expires = (datetime.now(UTC) + SECURITY_TXT_TTL).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _text_response(*contacts, f"Expires: {expires}", "Preferred-Languages: en")


@blueprint.get("/.well-known/jwks.json")
def keys() -> Response:
    """Return the public keys (RFC 7517) with which products verify sign-in tokens."""
    return jsonify(sign_in_tokens.jwk_set())


@blueprint.get("/robots.txt")
def robots() -> Response:
    """Allow search engines all pages: those that a link to one person opens say `noindex` themselves.

    A crawler that may not load a page does not see that it says so, and lists its address where it finds a link to
    it: https://developers.google.com/search/docs/crawling-indexing/block-indexing.
    """
    return _text_response("User-agent: *", "Allow: /")


def _text_response(*lines: str) -> Response:
    return Response("".join(f"{line}\n" for line in lines), mimetype="text/plain")

"""Sign-in tokens: signed JWTs that tell the product which buyer arrives, valid for five minutes and one use."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, cast
from uuid import UUID, uuid4

from flask import Flask, current_app

from app.config.settings import Settings
from app.security import encryption

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALGORITHM = "EdDSA"


class TokenSigner:
    """Signs with the key derived from the first secret, and publishes the public keys of all secrets."""

    def __init__(self, issuer: str | None, secrets: Iterable[str]) -> None:
        # Slow to import, as jwt is, and most processes sign nothing.
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

        keys = [Ed25519PrivateKey.from_private_bytes(encryption.derive_key("assertion", secret)) for secret in secrets]
        self.public_jwks = [_public_jwk(key) for key in keys]
        self._issuer = issuer
        self._signing_key = keys[0]

    def sign(self, claims: dict[str, str]) -> str:
        """Return the claims as a JWT that is issued now."""
        import jwt  # noqa: PLC0415

        now = datetime.now(UTC)
        registered_claims = {"iss": self._issuer, "jti": uuid4().hex, "iat": now, "exp": now + timedelta(minutes=5)}
        headers = {"kid": self.public_jwks[0]["kid"]}
        return jwt.encode({**claims, **registered_claims}, self._signing_key, ALGORITHM, headers)


def init_app(app: Flask, settings: Settings) -> None:
    """Derive the keys once, at their first use: deriving them costs more than signing."""
    secrets = (settings.secret_key, *settings.secret_key_fallbacks)
    app.extensions["sign_in_tokens"] = cache(lambda: TokenSigner(settings.site_url, secrets))


def issue(product_code: str, subscription_id: UUID, registration_id: UUID, reference: str | None) -> str:
    """Return a JWT, for this product alone, that says that the buyer of the subscription arrives.

    It names no person: `reference` is the product's own name for the account. SITE_URL has to be set.
    """
    claims = {"aud": product_code, "sub": str(subscription_id), "registration_id": str(registration_id)}
    return _signer().sign(claims if reference is None else {**claims, "reference": reference})


def jwk_set() -> dict[str, object]:
    """Return the JSON Web Key Set with which products verify sign-in tokens, the signing key first."""
    return {"keys": _signer().public_jwks}


def _signer() -> TokenSigner:
    return cast(TokenSigner, current_app.extensions["sign_in_tokens"]())


def _public_jwk(private_key: "Ed25519PrivateKey") -> dict[str, str]:
    from jwt.algorithms import OKPAlgorithm  # noqa: PLC0415
    from jwt.utils import base64url_encode  # noqa: PLC0415

    members: dict[str, str] = OKPAlgorithm.to_jwk(private_key.public_key(), as_dict=True)
    # RFC 7638: the thumbprint is over the required members in alphabetical order, without white space.
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    kid = base64url_encode(sha256(canonical.encode()).digest()).decode()
    return {**members, "kid": kid, "use": "sig", "alg": ALGORITHM}

"""What a buyer takes along to the product: a signed word on who comes, good for five minutes and one use."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from flask import Flask, current_app

from app.config.settings import Settings
from app.security import encryption

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TOKEN_LIFETIME = timedelta(minutes=5)
ALGORITHM = "EdDSA"


class TokenSigner:
    """Signs with the key of the secret key, and publishes that and those of the earlier secrets."""

    def __init__(self, issuer: str | None, secrets: Iterable[str]) -> None:
        keys = [_private_key(secret) for secret in secrets]
        self.public_jwks = [_public_jwk(key) for key in keys]
        self._issuer = issuer
        self._signing_key = keys[0]

    def sign(self, claims: dict[str, str]) -> str:
        """Return the claims as a JWT of this moment."""
        # Slow to import, and most processes sign nothing.
        import jwt  # noqa: PLC0415

        now = datetime.now(UTC)
        moment = {"iss": self._issuer, "jti": uuid4().hex, "iat": now, "exp": now + TOKEN_LIFETIME}
        return jwt.encode(
            {**claims, **moment}, self._signing_key, ALGORITHM, headers={"kid": self.public_jwks[0]["kid"]}
        )


def init_app(app: Flask, settings: Settings) -> None:
    """Make the keys once, when they are first used: deriving them costs more than using them."""
    secrets = (settings.secret_key, *settings.secret_key_fallbacks)
    app.extensions["sign_in_tokens"] = cache(lambda: TokenSigner(settings.site_url, secrets))


def issue(product_code: str, subscription_id: UUID, registration_id: UUID, reference: str | None) -> str:
    """Return an assertion, a JWT for this product alone, that the buyer of the subscription comes.

    It names no person: `reference` is what the product itself calls the account. SITE_URL has to be set.
    """
    claims = {"aud": product_code, "sub": str(subscription_id), "registration_id": str(registration_id)}
    return _signer().sign(claims if reference is None else {**claims, "reference": reference})


def jwk_set() -> dict[str, object]:
    """Return the JSON Web Key Set with which products verify assertions, the key in use first."""
    return {"keys": _signer().public_jwks}


def _signer() -> TokenSigner:
    signer: TokenSigner = current_app.extensions["sign_in_tokens"]()
    return signer


def _private_key(secret: str) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    return Ed25519PrivateKey.from_private_bytes(encryption.derive_key("assertion", secret))


def _public_jwk(private_key: "Ed25519PrivateKey") -> dict[str, str]:
    x = _encode_base64url(private_key.public_key().public_bytes_raw())
    members = {"crv": "Ed25519", "kty": "OKP", "x": x}
    # RFC 7638's thumbprint, over the members in this order and without blanks.
    kid = _encode_base64url(sha256(json.dumps(members, separators=(",", ":")).encode()).digest())
    return {**members, "kid": kid, "use": "sig", "alg": ALGORITHM}


def _encode_base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()

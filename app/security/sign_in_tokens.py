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

LIFETIME = timedelta(minutes=5)
ALGORITHM = "EdDSA"


class Signer:
    """Signs with the key of the secret key, and publishes that and those of the earlier secrets."""

    def __init__(self, issuer: str | None, secrets: Iterable[str]) -> None:
        keys = [_key(secret) for secret in secrets]
        self.public = [_public(key) for key in keys]
        self._issuer = issuer
        self._key = keys[0]

    def sign(self, claims: dict[str, str]) -> str:
        """Return the claims as a JWT of this moment."""
        # Slow to import, and most processes sign nothing.
        import jwt  # noqa: PLC0415

        now = datetime.now(UTC)
        moment = {"iss": self._issuer, "jti": uuid4().hex, "iat": now, "exp": now + LIFETIME}
        return jwt.encode({**claims, **moment}, self._key, ALGORITHM, headers={"kid": self.public[0]["kid"]})


def init_app(app: Flask, settings: Settings) -> None:
    """Make the keys once, when they are first used: deriving them costs more than using them."""
    secrets = (settings.secret_key, *settings.secret_key_fallbacks)
    app.extensions["assertions"] = cache(lambda: Signer(settings.site_url, secrets))


def issue(product_code: str, subscription_id: UUID, registration_id: UUID, reference: str | None) -> str:
    """Return an assertion, a JWT for this product alone, that the buyer of the subscription comes.

    It names no person: `reference` is what the product itself calls the account. SITE_URL has to be set.
    """
    claims = {"aud": product_code, "sub": str(subscription_id), "registration_id": str(registration_id)}
    return _signer().sign(claims if reference is None else {**claims, "reference": reference})


def public_keys() -> dict[str, object]:
    """Return the JSON Web Key Set with which products verify assertions, the key in use first."""
    return {"keys": _signer().public}


def _signer() -> Signer:
    signer: Signer = current_app.extensions["assertions"]()
    return signer


def _key(secret: str) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    return Ed25519PrivateKey.from_private_bytes(encryption.derived("assertion", secret))


def _public(key: "Ed25519PrivateKey") -> dict[str, str]:
    x = _base64url(key.public_key().public_bytes_raw())
    members = {"crv": "Ed25519", "kty": "OKP", "x": x}
    # RFC 7638's thumbprint, over the members in this order and without blanks.
    kid = _base64url(sha256(json.dumps(members, separators=(",", ":")).encode()).digest())
    return {**members, "kid": kid, "use": "sig", "alg": ALGORITHM}


def _base64url(plain: bytes) -> str:
    return urlsafe_b64encode(plain).rstrip(b"=").decode()

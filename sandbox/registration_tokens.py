"""Registration tokens: signed, so that minting one per page view stores nothing.

A token has the format of AWS's: 184 characters of standard base64 that contain `+` and `/` and end in `==`.
"""

import binascii
import hmac
import secrets
import struct
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sandbox.aws_errors import ExpiredToken, InvalidToken

LIFETIME = timedelta(hours=4)

BODY = struct.Struct(">16sd80s")
SIGNATURE_BYTES = 32


def mint(key: bytes, purchase_id: UUID, lifetime: timedelta = LIFETIME, *, now: datetime | None = None) -> str:
    """Return a new registration token for a purchase."""
    expires_at = ((now or datetime.now(UTC)) + lifetime).timestamp()
    while True:
        body = BODY.pack(purchase_id.bytes, expires_at, secrets.token_bytes(80))
        token = b64encode(_sign(key, body) + body).decode()
        # Every token contains the two characters that a wrong decoding of the form would change.
        if "+" in token and "/" in token:
            return token


def verify(key: bytes, token: str, *, now: datetime | None = None) -> UUID:
    """Return the id of the purchase that a registration token was minted for.

    Raises:
        InvalidToken: this sandbox did not mint it, or it was changed in transit.
        ExpiredToken: its lifetime is over.
    """
    body = _verified_body(key, token)
    purchase_id, expires_at, _ = BODY.unpack(body)
    if (now or datetime.now(UTC)).timestamp() >= expires_at:
        raise ExpiredToken
    return UUID(bytes=purchase_id)


def _verified_body(key: bytes, token: str) -> bytes:
    try:
        signed = b64decode(token, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidToken from None
    body = signed[SIGNATURE_BYTES:]
    if len(body) != BODY.size or not hmac.compare_digest(_sign(key, body), signed[:SIGNATURE_BYTES]):
        raise InvalidToken
    return body


def _sign(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, "sha256")

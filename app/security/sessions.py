"""The session cookie's signature, on several machines whose clocks differ."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import SignatureExpired, TimestampSigner, URLSafeTimedSerializer

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

"""Encryption of what may be kept but not be read: with keys derived from the secrets, one for each purpose."""

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import timedelta
from functools import cache

from flask import Flask, current_app

from app.config.settings import Settings

KEY_BYTES = 32


class Cipher:
    """Seals with the secret key, and opens what the secret key or an earlier one has sealed.

    `purpose` keeps what is sealed for one use from being taken for another.
    """

    def __init__(self, purpose: str, secrets: Iterable[str]) -> None:
        # Slow to import, and most processes seal nothing: nearly every buyer comes while AWS is well.
        from cryptography.fernet import Fernet, InvalidToken, MultiFernet  # noqa: PLC0415

        self._invalid_token_error = InvalidToken
        self._fernet = MultiFernet([Fernet(urlsafe_b64encode(derive_key(purpose, secret))) for secret in secrets])

    def encrypt(self, plaintext: bytes) -> bytes:
        """Return the sealed bytes, in base64."""
        return self._fernet.encrypt(plaintext)

    def decrypt(self, ciphertext: bytes, max_age: timedelta | None = None) -> bytes | None:
        """Return what was sealed; None where it was changed, is too old, or its secret is no longer set."""
        try:
            return self._fernet.decrypt(ciphertext, int(max_age.total_seconds()) if max_age else None)
        except self._invalid_token_error:
            return None


def derive_key(purpose: str, secret: str) -> bytes:
    """Return the 32 bytes that the secret gives for this purpose and no other."""
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    # Deriving has to be the same every time, and the secret is random already: no salt, and no slow hash.
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"foyer {purpose}".encode()).derive(secret.encode())


def init_app(app: Flask, settings: Settings) -> None:
    """Make each seal once, when it is first used: deriving a key costs more than using it."""
    secrets = (settings.secret_key, *settings.secret_key_fallbacks)
    app.extensions["ciphers"] = cache(lambda purpose: Cipher(purpose, secrets))


def cipher(purpose: str) -> Cipher:
    """Return the running application's cipher for that purpose."""
    found: Cipher = current_app.extensions["ciphers"](purpose)
    return found


def pending_token_cipher() -> Cipher:
    """Return the cipher for registration tokens that AWS has not resolved yet."""
    return cipher("parked token")


def draft_cipher() -> Cipher:
    """Return the cipher for the draft cookie: answers that could not be stored yet."""
    return cipher("draft")

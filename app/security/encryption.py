"""Encryption of tokens, drafts and links, with a key for each purpose, derived from the secret keys."""

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import timedelta
from functools import cache

from flask import Flask, current_app

from app.config.settings import Settings

# The purposes: registration tokens that AWS has not resolved yet, the draft cookie with answers that are not registered
# yet, and those answers on the server where they do not fit the cookie. Each kind of link has one of its own.
PENDING_TOKEN, DRAFT, STORED_DRAFT = "parked token", "draft", "stored draft"


class Cipher:
    """Encrypts for one purpose with the first secret, and decrypts what any of the secrets encrypted for it."""

    def __init__(self, purpose: str, secrets: Iterable[str]) -> None:
        # Slow to import, and most processes encrypt nothing: AWS resolves nearly every token at once.
        from cryptography.fernet import Fernet, InvalidToken, MultiFernet  # noqa: PLC0415

        self._invalid_token_error = InvalidToken
        self._fernet = MultiFernet([Fernet(urlsafe_b64encode(derive_key(purpose, secret))) for secret in secrets])

    def encrypt(self, plaintext: bytes) -> bytes:
        """Return the ciphertext as a Fernet token, in URL-safe base64."""
        return self._fernet.encrypt(plaintext)

    def decrypt(self, ciphertext: bytes, max_age: timedelta | None = None) -> bytes | None:
        """Return the plaintext; None where the ciphertext was changed, is too old, or its secret is no longer set."""
        try:
            return self._fernet.decrypt(ciphertext, int(max_age.total_seconds()) if max_age else None)
        except self._invalid_token_error:
            return None


def derive_key(purpose: str, secret: str) -> bytes:
    """Return 32 bytes, different for each purpose and always the same for one."""
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    # No salt: the key has to be the same every time. No slow hash: the secret is random already.
    return HKDF(SHA256(), 32, salt=None, info=f"foyer {purpose}".encode()).derive(secret.encode())


def init_app(app: Flask, settings: Settings) -> None:
    """Make each purpose's cipher once, at its first use: deriving a key costs more than using it."""
    secrets = (settings.secret_key, *settings.secret_key_fallbacks)
    app.extensions["ciphers"] = cache(lambda purpose: Cipher(purpose, secrets))


def cipher(purpose: str) -> Cipher:
    """Return the running application's cipher for that purpose."""
    purpose_cipher: Cipher = current_app.extensions["ciphers"](purpose)
    return purpose_cipher

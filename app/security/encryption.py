"""Encryption of tokens, drafts and some links, with a key for each purpose, derived from the secret keys.

With a leaked secret anybody can encrypt: what it opens is read where it can do no harm, and nowhere else.
"""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from flask import Flask, current_app

from app.config.settings import Settings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

# The purposes: registration tokens that AWS has not resolved yet, the draft cookie with answers that are not registered
# yet, and those answers on the server where they do not fit the cookie. Each kind of link has one of its own.
PENDING_TOKEN, DRAFT, STORED_DRAFT = "parked token", "draft", "stored draft"
# No link: whoever has a leaked secret could make one to any record.
OPENED_WITH_LEAKED_SECRETS = (PENDING_TOKEN, DRAFT, STORED_DRAFT)


class Cipher:
    """Encrypts for one purpose with the first secret, and decrypts what any of the secrets encrypted for it.

    What a leaked secret encrypted has methods of its own.
    """

    def __init__(self, purpose: str, secrets: Sequence[str], leaked_secrets: Sequence[str] = ()) -> None:
        # Slow to import, and most processes encrypt nothing: AWS resolves nearly every token at once.
        from cryptography.fernet import Fernet, InvalidToken, MultiFernet  # noqa: PLC0415

        self._invalid_token_error = InvalidToken
        own, leaked = (
            [Fernet(urlsafe_b64encode(derive_key(purpose, secret))) for secret in list_]
            for list_ in (secrets, leaked_secrets)
        )
        self._fernet = MultiFernet(own)
        self._leaked = MultiFernet(leaked) if leaked else None
        self._resealing = MultiFernet([*own[:1], *leaked])

    def encrypt(self, plaintext: bytes) -> bytes:
        """Return the ciphertext as a Fernet token, in URL-safe base64."""
        return self._fernet.encrypt(plaintext)

    def decrypt(self, ciphertext: bytes, max_age: timedelta | None = None) -> bytes | None:
        """Return the plaintext; None where the ciphertext was changed, is too old, or its secret is no longer set."""
        return self._decrypt(self._fernet, ciphertext, max_age)

    def decrypt_leaked(self, ciphertext: bytes, max_age: timedelta | None = None) -> bytes | None:
        """Return what a leaked secret encrypted, which anybody may have done; None where none of those did."""
        return self._decrypt(self._leaked, ciphertext, max_age) if self._leaked else None

    def reseal(self, ciphertext: bytes) -> bytes | None:
        """Return what a leaked secret encrypted, encrypted with the first secret and as old as before; else None."""
        return self._resealing.rotate(ciphertext) if self.decrypt_leaked(ciphertext) is not None else None

    def _decrypt(self, fernet: "MultiFernet", ciphertext: bytes, max_age: timedelta | None) -> bytes | None:
        try:
            return fernet.decrypt(ciphertext, int(max_age.total_seconds()) if max_age else None)
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
    leaked = settings.secret_key_leaked

    def build(purpose: str) -> Cipher:
        return Cipher(purpose, secrets, leaked if purpose in OPENED_WITH_LEAKED_SECRETS else ())

    app.extensions["ciphers"] = cache(build)


def cipher(purpose: str) -> Cipher:
    """Return the running application's cipher for that purpose."""
    purpose_cipher: Cipher = current_app.extensions["ciphers"](purpose)
    return purpose_cipher


def leaked_secret_names() -> list[str]:
    """Return a name of 16 characters for each leaked secret, from which the secret cannot be found."""
    secrets = current_app.config["SECRET_KEY_LEAKED"]
    return [f"leaked-{derive_key('name of a leaked secret', secret).hex()[:9]}" for secret in secrets]

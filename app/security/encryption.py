"""Encryption of what may be kept but not be read: with keys derived from the secrets, one for each purpose."""

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from uuid import UUID

from flask import Flask, current_app

from app.config.settings import Settings

KEY_BYTES = 32


class Seal:
    """Seals with the secret key, and opens what the secret key or an earlier one has sealed.

    `purpose` keeps what is sealed for one use from being taken for another.
    """

    def __init__(self, purpose: str, secrets: Iterable[str]) -> None:
        # Slow to import, and most processes seal nothing: nearly every buyer comes while AWS is well.
        from cryptography.fernet import Fernet, InvalidToken, MultiFernet  # noqa: PLC0415

        self._refused = InvalidToken
        self._keys = MultiFernet([Fernet(urlsafe_b64encode(derived(purpose, secret))) for secret in secrets])

    def close(self, plain: bytes) -> bytes:
        """Return the sealed bytes, in base64."""
        return self._keys.encrypt(plain)

    def open(self, sealed: bytes, lifetime: timedelta | None = None) -> bytes | None:
        """Return what was sealed; None where it was changed, is too old, or its secret is no longer set."""
        try:
            return self._keys.decrypt(sealed, int(lifetime.total_seconds()) if lifetime else None)
        except self._refused:
            return None

    def spelt(self, sealed_id: UUID) -> str:
        """Return the id sealed, as the last part of a link."""
        # Without its padding: what makes links of text leaves a last = out.
        return self.close(sealed_id.bytes).decode().rstrip("=")

    def id_in(self, spelt: str, lifetime: timedelta | None = None) -> UUID | None:
        """Return the id that the last part of a link has, with its padding or without; None as `open`."""
        opened = self.open((spelt + "=" * (-len(spelt) % 4)).encode(), lifetime)
        return UUID(bytes=opened) if opened else None


def derived(purpose: str, secret: str) -> bytes:
    """Return the 32 bytes that the secret gives for this purpose and no other."""
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    # Deriving has to be the same every time, and the secret is random already: no salt, and no slow hash.
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"foyer {purpose}".encode()).derive(secret.encode())


def init_app(app: Flask, settings: Settings) -> None:
    """Make each seal once, when it is first used: deriving a key costs more than using it."""
    secrets = (settings.secret_key, *settings.secret_key_fallbacks)
    app.extensions["seals"] = cache(lambda purpose: Seal(purpose, secrets))


def parked_tokens() -> Seal:
    """Return the seal for registration tokens that wait for AWS."""
    return _seal("parked token")


def drafts() -> Seal:
    """Return the seal for what a buyer typed and could not be kept yet."""
    return _seal("draft")


def resume_links() -> Seal:
    """Return the seal for the links with which buyers come back to a registration of theirs."""
    return _seal("resume link")


def progress_links() -> Seal:
    """Return the seal for the links that show how far the product is with a registration's account."""
    return _seal("progress link")


def invitations() -> Seal:
    """Return the seal for the links with which colleagues of purchasers set up an account."""
    return _seal("invitation")


def _seal(purpose: str) -> Seal:
    seal: Seal = current_app.extensions["seals"](purpose)
    return seal

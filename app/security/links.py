"""Links that only Foyer can make: each is a path that ends in the encrypted, or signed, id of one record."""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from flask import current_app
from itsdangerous import BadSignature

from app.security.encryption import cipher
from app.security.headers import TolerantSigner


@dataclass(frozen=True)
class EncryptedLink:
    """One kind of link: the path before the id, the purpose of its key, and for how long a link works.

    Without `max_age` the link itself does not expire: the record that it leads to has an expiry of its own.
    """

    prefix: str
    purpose: str
    max_age: timedelta | None = None

    def path_for(self, record_id: UUID) -> str:
        """Return the path of the link that leads to the record."""
        # Without padding: programs that detect links in text leave out a trailing "=".
        return self.prefix + cipher(self.purpose).encrypt(record_id.bytes).decode().rstrip("=")

    def id_from(self, link_part: str) -> UUID | None:
        """Return the id in the last part of a link; None where Foyer did not make it or it is too old."""
        padding = "=" * (-len(link_part) % 4)
        record_id = cipher(self.purpose).decrypt(f"{link_part}{padding}".encode(), self.max_age)
        return UUID(bytes=record_id) if record_id else None


class SignedLink(EncryptedLink):
    """A link whose id can be read: for pages that are shown often, because encryption takes 9 MB in each process."""

    def path_for(self, record_id: UUID) -> str:
        """Return the path of the link that leads to the record."""
        return self.prefix + self._signer().sign(record_id.hex).decode()

    def id_from(self, link_part: str) -> UUID | None:
        """Return the id in the last part of a link; None where Foyer did not make it or it is too old."""
        if "." not in link_part:
            # Links that were made before they were signed work for the rest of their time.
            return super().id_from(link_part)
        max_age = int(self.max_age.total_seconds()) if self.max_age else None
        try:
            return UUID(self._signer().unsign(link_part, max_age).decode())
        except BadSignature:
            return None

    def _signer(self) -> TolerantSigner:
        config = current_app.config
        # Newest last, as itsdangerous has them.
        keys = [*config["SECRET_KEY_FALLBACKS"], config["SECRET_KEY"]]
        return TolerantSigner(keys, salt=self.purpose, key_derivation="hmac", digest_method=sha256)

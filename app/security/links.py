"""Signed links: a path that ends in the encrypted id of one record, so that only Foyer can make it."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app.security.encryption import cipher


@dataclass(frozen=True)
class SignedLink:
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

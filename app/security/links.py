"""Signed links: a path whose last part is one record's id, encrypted, so that only Foyer can make it."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app.security.encryption import cipher


@dataclass(frozen=True)
class SignedLink:
    """One kind of link: the path before the id, what the key is derived for, and how long a link works.

    `purpose` keeps a link of one kind from being taken for one of another. Without `max_age` the link itself does not
    expire: the record that it leads to says when it is over.
    """

    prefix: str
    purpose: str
    max_age: timedelta | None = None

    def path_for(self, record_id: UUID) -> str:
        """Return the path of the link that leads to the record."""
        # Without the padding: programs that make links of text leave out a last "=".
        return self.prefix + cipher(self.purpose).encrypt(record_id.bytes).decode().rstrip("=")

    def id_from(self, link_part: str) -> UUID | None:
        """Return the id in the last part of a link; None where Foyer did not make it or it is too old."""
        padded = link_part + "=" * (-len(link_part) % 4)
        record_id = cipher(self.purpose).decrypt(padded.encode(), self.max_age)
        return UUID(bytes=record_id) if record_id else None

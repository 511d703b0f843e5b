"""References: the name of a request in the log and, as the Reference of an error page, for the buyer.

Twelve hexadecimal digits: eight of the second in which the request came, then four at random. So a reference that a
buyer mails tells the operator when it was.
"""

import re
import secrets
import time
from datetime import UTC, datetime, timedelta

REFERENCE = re.compile("[0-9a-f]{12}", re.ASCII)
# No reference is older. The digits of most AWS account ids stand for other times.
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)


def create() -> str:
    """Return the reference of a request that comes now."""
    return f"{int(time.time()):08x}{secrets.token_hex(2)}"


def is_reference(text: str) -> bool:
    """Return whether the text has the form of a reference, and is no AWS account id."""
    return REFERENCE.fullmatch(text) is not None and (not text.isdecimal() or moment_of(text) is not None)


def moment_of(reference: str) -> datetime | None:
    """Return when the request came, to the second; None where the reference does not say it."""
    if not REFERENCE.fullmatch(reference):
        return None
    moment = datetime.fromtimestamp(int(reference[:8], 16), UTC)
    return moment if EARLIEST < moment < datetime.now(UTC) + timedelta(days=1) else None

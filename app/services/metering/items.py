"""Items of usage as products report them: checked one by one, before anything is looked up or stored."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeGuard

from app.errors import FoyerError
from app.services.metering import quantity

# Of one request, and of one transaction.
MAX_ITEMS = 1000
FIELDS = ("id", "subscription", "dimension", "quantity", "at", "tags")
REQUIRED_FIELDS = FIELDS[:-1]
MAX_TEXT_LENGTH = 255
MAX_TAGS, MAX_TAG_KEY_LENGTH, MAX_TAG_VALUE_LENGTH = 5, 100, 256
# https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_Tag.html
TAG_TEXT = re.compile(r"[a-zA-Z0-9+ \-=._:/@]+", re.ASCII)
# https://www.rfc-editor.org/rfc/rfc3339#section-5.6
RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?([Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
# The product's clock may be ahead of Foyer's.
MAX_AHEAD = timedelta(minutes=5)


class InvalidItem(FoyerError):
    """The item cannot be counted. `code` says why, and what to do."""


@dataclass(frozen=True)
class Unreadable:
    """In place of an item that its file or request has, and that cannot be read. `reason` says why, and where."""

    reason: str
    id: str | None = None


@dataclass(frozen=True)
class UsageItem:
    """One item. `subscription` is Foyer's id or the license's ARN; `picos` is the quantity (see quantity.py)."""

    id: str
    subscription: str
    dimension: str
    picos: int
    at: datetime
    tags: tuple[tuple[str, str], ...] = ()


def parse(value: object, now: datetime) -> UsageItem:
    """Return the item in a JSON value. Raises InvalidItem."""
    if isinstance(value, Unreadable):
        raise InvalidItem(value.reason)
    if not isinstance(value, Mapping):
        raise InvalidItem("The item must be a JSON object.")
    if unknown := [str(name) for name in value if name not in FIELDS]:
        raise InvalidItem(f"There is no field {unknown[0][:40]!a}. The fields are {', '.join(FIELDS)}.")
    if missing := [name for name in REQUIRED_FIELDS if value.get(name) is None]:
        raise InvalidItem(f"The field {missing[0]} is missing.")
    texts = {name: _parse_text(name, value[name]) for name in ("id", "dimension")}
    subscription = _parse_text("subscription", value["subscription"], max_length=600)
    return UsageItem(
        **texts,
        subscription=subscription,
        picos=_parse_quantity(value["quantity"]),
        at=parse_time(value["at"], now),
        tags=_parse_tags(value.get("tags")),
    )


def read_id(value: object) -> str | None:
    """Return the id of an item that may be invalid, for its verdict; None where the id itself is invalid."""
    if isinstance(value, Unreadable):
        return value.id
    item_id = value.get("id") if isinstance(value, Mapping) else None
    return item_id if _is_text(item_id, MAX_TEXT_LENGTH) else None


def _is_text(value: object, max_length: int) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= max_length and value.isprintable()


def _parse_text(name: str, value: object, max_length: int = MAX_TEXT_LENGTH) -> str:
    if not _is_text(value, max_length):
        raise InvalidItem(f"{name} must be a text of 1 to {max_length} printable characters.")
    return value


def _parse_quantity(value: object) -> int:
    try:
        return quantity.parse(value if isinstance(value, str) else "")
    except ValueError:
        raise InvalidItem(
            'quantity must be a decimal number as text, such as "1.5": up to 10 digits, and up to 12 after a point. '
            "Numbers of JSON are not exact, and AWS takes no negative ones."
        ) from None


def parse_time(value: object, now: datetime) -> datetime:
    """Return the time in UTC. Raises InvalidItem: it is no RFC 3339 time, has no zone, or lies ahead."""
    try:
        at = read_time(value)
    except ValueError:
        raise InvalidItem('at must be a time with its zone as in RFC 3339, such as "2026-11-28T14:05:00Z".') from None
    if at > now + MAX_AHEAD:
        raise InvalidItem("at lies in the future. Send usage once it has happened, and check the clock.")
    return at


def read_time(value: object) -> datetime:
    """Return an RFC 3339 time in UTC; ValueError where it is none."""
    match = RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("no RFC 3339 time")
    day, minute, second, fraction, zone = match.groups("0")
    if second > "60":
        raise ValueError("no such second")
    # A leap second counts to the second before it.
    text = f"{day}T{minute}:{min(int(second), 59):02d}.{fraction[:6].ljust(6, '0')}{zone.upper()}"
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError:
        raise ValueError("out of range") from None


def _parse_tags(value: object) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if isinstance(value, Unreadable):
        raise InvalidItem(f"In tags: {value.reason}")
    if not isinstance(value, Mapping) or len(value) > MAX_TAGS:
        raise InvalidItem(f"tags must be an object with at most {MAX_TAGS} texts by their keys.")
    for key, text in value.items():
        lengths_are_right = (
            isinstance(text, str) and len(key) <= MAX_TAG_KEY_LENGTH and len(text) <= MAX_TAG_VALUE_LENGTH
        )
        if not (lengths_are_right and TAG_TEXT.fullmatch(key) and TAG_TEXT.fullmatch(text)):
            raise InvalidItem(
                f"The tag {str(key)[:40]!a} is invalid: AWS takes keys of 1 to {MAX_TAG_KEY_LENGTH} and values of 1 to "
                f"{MAX_TAG_VALUE_LENGTH} letters from a to z, digits, blanks, and + - = . _ : / @."
            )
    return tuple(sorted(value.items()))

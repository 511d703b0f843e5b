"""The hint about an address that is probably mistyped, such as ada@gmial.com: shown once, and never a refusal."""

from hashlib import sha256

from flask import session
from wtforms import EmailField

# Of these, each domain that one slip of the fingers makes is taken for a mistake.
MAIL_PROVIDERS = (
    "gmail.com",
    "googlemail.com",
    "hotmail.com",
    "hotmail.co.uk",
    "icloud.com",
    "outlook.com",
    "protonmail.com",
    "yahoo.com",
    "yahoo.co.jp",
    "yahoo.co.uk",
)
# Other companies' domains that are as near.
REAL_NEIGHBOURS = {"cloud.com", "email.com", "mail.com", "ymail.com"}
# Top-level domains that exist although they are one slip away from com.
REAL_ENDINGS = {"bom", "cam", "cm", "co", "mom", "om"}


def suggest_once(field: EmailField, kept: str | None = None) -> str | None:
    """Return the address that the buyer probably meant, and remember that this browser was asked about this one.

    Returns None if the address has an error, looks right, was asked about the last time, or is the one that is stored
    already (`kept`).
    """
    suggestion = None if field.errors else suggest(field.data or "")
    if suggestion is None or field.data == kept:
        return None
    # Not the address itself: the session is signed, not encrypted.
    asked = sha256(str(field.data).encode()).hexdigest()[:16]
    if session.get("AskedEmail") == asked:
        return None
    session["AskedEmail"] = asked
    return suggestion


def suggest(address: str) -> str | None:
    """Return the address with the domain that was probably meant; None where the domain looks right."""
    name, _, domain = address.rpartition("@")
    typed = domain.lower()
    if typed in REAL_NEIGHBOURS or typed in MAIL_PROVIDERS:
        return None
    rest, _, ending = typed.rpartition(".")
    corrected = f"{rest}.com" if ending not in REAL_ENDINGS and is_one_slip_away(ending, "com") else typed
    meant = next((provider for provider in MAIL_PROVIDERS if is_one_slip_away(corrected, provider)), corrected)
    return None if meant == typed else f"{name}@{meant}"


def is_one_slip_away(typed: str, meant: str) -> bool:
    """Return whether one letter is wrong, missing or too many, or two neighbours changed places."""
    shorter = min(len(typed), len(meant))
    start = next((place for place in range(shorter) if typed[place] != meant[place]), shorter)
    typed, meant = typed[start:], meant[start:]
    is_swapped = typed[:2] == meant[1::-1] and typed[2:] == meant[2:]
    return typed != meant and (is_swapped or typed[1:] == meant[1:] or typed[1:] == meant or typed == meant[1:])

"""Finds what a value caught on its way into a setting: quotes, line ends, blanks, and characters that nobody sees.

The descriptions complete "it has", and never repeat the value, which may be a secret.
"""

import unicodedata
from collections.abc import Callable

# A shell removes these quotes. `docker run --env-file`, Kubernetes and a word processor do not.
QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u2018": "\u2019", "\u201e": "\u201c", "\u00ab": "\u00bb"}
QUOTE_CHARACTERS = {*QUOTES, *QUOTES.values()}
NAMES = {
    "\r": "a carriage return, as in a file with Windows line ends,",
    "\n": "a line end",
    "\t": "a tab",
    " ": "a blank",
    "\u00a0": "a non-breaking blank",
    "\ufeff": "a byte order mark",
}
# Not printed by any font, although Unicode counts them among letters, marks and symbols.
BLANK_SYMBOLS = {"\u034f", "\u115f", "\u1160", "\u17b4", "\u17b5", "\u2800", "\u3164", "\uffa0"}


def find_quotes_around(value: str) -> str | None:
    """Return the description of the quotes around the value, or None where it has none, as `"A" and "B"` has not."""
    value = value.strip()
    if len(value) < 2 or QUOTES.get(value[0]) != value[-1] or not QUOTE_CHARACTERS.isdisjoint(value[1:-1]):
        return None
    return "quotes around it. Remove them: `docker run --env-file`, for one, keeps them as a part of the value"


def find_in_text(value: str) -> str | None:
    """Return the description of what no value may have: quotes around it, a control character, or bytes that
    are no text. None: none of them."""
    return find_quotes_around(value) or find_control(value)


def find_control(value: str) -> str | None:
    """Return the description of a control character, or of bytes that are no text. None: it has neither."""
    return _describe_first(value, _is_control)


def find_in_exact(value: str) -> str | None:
    """Return the description of what a value that has to equal another machine's may not have. None: nothing.

    That is also a blank at an end, and an invisible character.
    """
    if fault := find_in_text(value) or _describe_first(value, _is_invisible):
        return fault
    return _describe(value, 0 if value.startswith(" ") else len(value) - 1) if value != value.strip() else None


def find_in_code(value: str) -> str | None:
    """Return the description of what AWS's names, ids and codes never have: also blanks and quotes anywhere."""
    return find_in_exact(value) or _describe_first(value, lambda character: character in {" ", *QUOTE_CHARACTERS})


def _is_invisible(character: str) -> bool:
    """Return whether a person cannot see the character; a plain blank counts as visible."""
    is_variation_selector = unicodedata.name(character, "").startswith("VARIATION SELECTOR")
    return not character.isprintable() or character in BLANK_SYMBOLS or is_variation_selector


def _is_control(character: str) -> bool:
    # Bytes that are not UTF-8 come out of the environment as halves of surrogate pairs (Cs).
    return unicodedata.category(character) in {"Cc", "Cs"}


def _describe_first(value: str, is_stray: Callable[[str], bool]) -> str | None:
    return next((_describe(value, i) for i, character in enumerate(value) if is_stray(character)), None)


def _describe(value: str, i: int) -> str:
    code = f"U+{ord(value[i]):04X}"
    quote = "a quote" if value[i] in QUOTE_CHARACTERS else f"the invisible character {code}"
    place = "at its end" if i == len(value) - 1 else "at its beginning" if i == 0 else "inside"
    return f"{NAMES.get(value[i], quote)} {place}. Remove it"

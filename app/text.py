"""How text is cleaned and masked and dates are written, for forms, pages and mails."""

import re
from datetime import UTC, datetime
from unicodedata import category

# Controls (no keyboard types them; a database refuses some, a terminal obeys others), format characters (they reverse
# the text around them, or fill a field with nothing) and halves of surrogate pairs.
INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cs"}
# Two format characters are part of the spelling in Persian, Sinhala and emoji.
ZERO_WIDTH_JOINERS = "\u200c\u200d"
# At the edge of a word they join nothing.
STRAY_JOINERS = re.compile("(?<![\u200c\u200d])[\u200c\u200d]+(?!\\S)|(?<!\\S)[\u200c\u200d]+")
# U+2028 and U+2029 end a line in some programs only.
LINE_BREAK = re.compile("\r\n?|[\u2028\u2029]")
MASK = "•"


def format_date(moment: datetime) -> str:
    """Return the moment's day in UTC, as in 3 November 2026."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y}"


def format_time(moment: datetime) -> str:
    """Return the moment's time of day, as in 14:05 UTC."""
    return f"{moment.astimezone(UTC):%H:%M} UTC"


def clean_answer(answer: str | None) -> str | None:
    """Return a form's answer on one line, without invisible characters and surplus spaces."""
    return " ".join(_remove_invisible(answer).split()) if answer else answer


def clean_multiline_answer(answer: str | None) -> str | None:
    r"""Return a form's answer without invisible characters and surrounding white space, each line ended by \n.

    A browser counts a line end as one character and sends two: left as they are, `maxlength` and the form disagree.
    """
    return LINE_BREAK.sub("\n", _remove_invisible(answer)).strip() if answer else answer


def clean_phone_number(answer: str | None) -> str | None:
    """Return the number on one line, with every kind of dash as a hyphen: contact lists print the longer ones."""
    line = clean_answer(answer)
    return "".join("-" if category(character) == "Pd" else character for character in line) if line else line


def clean_single_line(text: str) -> str:
    """Return text for a mail on one line; see `clean_lines`."""
    return " ".join(clean_lines(text).split())


def clean_lines(text: str) -> str:
    r"""Return text for a mail with each invisible character as a space and each line ended by \n.

    A space keeps apart the words around a control character; a form removes it, as the buyer never meant to type it.
    """
    lines = LINE_BREAK.sub("\n", text)
    return "".join(" " if _is_invisible(character) and character != "\n" else character for character in lines)


def strip_unprintable(text: str, keep: str = "") -> str:
    """Return the text without the characters that HTML cannot contain, except those to keep."""
    return "".join(character for character in text if character.isprintable() or character in keep)


def mask_email(address: str) -> str:
    """Return the address with its name masked, so that only its owner recognises it."""
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}{MASK * 3}@{domain}"


def _remove_invisible(text: str) -> str:
    visible = (character for character in text if not _is_invisible(character) or character in "\r\n\t")
    return STRAY_JOINERS.sub("", "".join(visible))


def _is_invisible(character: str) -> bool:
    return category(character) in INVISIBLE_CATEGORIES and character not in ZERO_WIDTH_JOINERS

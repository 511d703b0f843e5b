"""How text is cleaned and masked and dates are written, for forms, pages and mails."""

import re
from datetime import UTC, datetime
from unicodedata import category, decimal, normalize

# Controls (no keyboard types them; a database refuses some, a terminal obeys others), format characters (they reverse
# the text around them, or fill a field with nothing) and halves of surrogate pairs.
INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cs"}
# Two format characters are part of the spelling in Persian, Sinhala and emoji.
ZERO_WIDTH_JOINERS = "\u200c\u200d"
# At the edge of a word they join nothing.
STRAY_JOINERS = re.compile("(?<![\u200c\u200d])[\u200c\u200d]+(?!\\S)|(?<!\\S)[\u200c\u200d]+")
# U+2028 and U+2029 end a line in some programs only.
LINE_BREAK = re.compile("\r\n?|[\u2028\u2029]")
# Blank lines before the first line, and its indentation but for tabs: those are a pasted table's empty cells.
BEFORE_FIRST_LINE = re.compile(r"\A(?:\s*\n)?[^\S\n\t]*")
# Of no dash's category: the minus sign, a hyphen bullet, and what Japanese and Chinese keyboards type between digits.
MORE_DASHES = "\u2212\u2043"
LINES_AS_DASHES = re.compile("(?<=[0-9)])( ?)[\u30fc\u2500\u2501]( ?)(?=[0-9(])")
# A copied link brings its scheme.
LINK_SCHEME = re.compile(r"^(?:(?:tel|mailto): *)+(?=.)", re.IGNORECASE)
# Japanese and Chinese keyboards type these for the dot of an address.
FULL_STOPS = str.maketrans("\u3002\uff61", "..")
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
    r"""Return a form's answer without invisible characters and surrounding blank lines, each line ended by \n.

    A browser counts a line end as one character and sends two: left as they are, the buyer's count and ours disagree.
    Tabs stay, because they are the columns of a pasted table.
    """
    return _trim_lines(LINE_BREAK.sub("\n", _remove_invisible(answer))) if answer else answer


def clean_phone_number(answer: str | None) -> str | None:
    """Return the number on one line, in the ASCII digits, dashes and signs that other keyboards type differently.

    All other text stays as it was typed. The number does not become longer.
    """
    line = clean_answer(answer)
    if not line:
        return line
    return LINK_SCHEME.sub("", LINES_AS_DASHES.sub(r"\1-\2", "".join(map(_to_ascii, line))))


def clean_email(answer: str | None) -> str | None:
    """Return the address on one line, with full-width and other compatible characters as the ones that they stand for.

    Digits of other scripts become ASCII only if the whole address does: in a domain they are other names.
    """
    if not answer:
        return answer
    line = " ".join(_remove_invisible(normalize("NFKC", _remove_invisible(answer))).split())
    line = LINK_SCHEME.sub("", line.translate(FULL_STOPS))
    folded = "".join(map(_to_ascii, line))
    return folded if folded.isascii() else line


def clean_single_line(text: str) -> str:
    """Return text for a mail on one line; see `clean_lines`."""
    return " ".join(clean_lines(text).split())


def clean_lines(text: str) -> str:
    r"""Return text for a mail with each invisible character but a tab as a space, and each line ended by \n.

    A space keeps apart the words around a control character; a form removes it, as the buyer never meant to type it.
    """
    lines = LINE_BREAK.sub("\n", text)
    return "".join(" " if _is_invisible(character) and character not in "\n\t" else character for character in lines)


def clean_multiline_text(text: str) -> str:
    """Return text for a mail without surrounding blank lines; see `clean_lines`."""
    return _trim_lines(clean_lines(text))


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


def _trim_lines(text: str) -> str:
    return BEFORE_FIRST_LINE.sub("", text.rstrip())


def _to_ascii(character: str) -> str:
    """Return the ASCII character that this one is a form of: full-width, a digit of any script, a dash; or itself."""
    digit = decimal(character, None)
    if digit is not None:
        return str(digit)
    form = normalize("NFKC", character)
    if category(form[0]) == "Pd" or form in MORE_DASHES:
        return "-"
    return form if len(form) == 1 and form.isascii() else character

"""How moments and buyers' own words are written for people, on pages and in mails."""

from datetime import UTC, datetime
from unicodedata import category

# Controls, what turns the text around it, halves of characters, and the line ends that only some programs see.
INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# Two format characters spell words in Persian, Sinhala and emoji.
ZERO_WIDTH_JOINERS = "\u200c\u200d"


def format_date(moment: datetime) -> str:
    """Return the moment's day in UTC, as in 3 November 2026."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y}"


def format_time(moment: datetime) -> str:
    """Return the moment's time of day, as in 14:05 UTC."""
    return f"{moment.astimezone(UTC):%H:%M} UTC"


def format_date_time(moment: datetime) -> str:
    """Return the moment's day and time of day, as in 3 November 2026, 14:05 UTC."""
    return f"{format_date(moment)}, {format_time(moment)}"


def clean_single_line(text: str) -> str:
    """Return the text on one line, without what cannot be seen."""
    return " ".join(clean_lines(text).split())


def clean_lines(text: str) -> str:
    r"""Return the text without what cannot be seen, each line ended by \n."""
    return "".join(map(_replace_invisible, text.replace("\r\n", "\n").replace("\r", "\n")))


def _replace_invisible(character: str) -> str:
    if character == "\n" or character in ZERO_WIDTH_JOINERS or category(character) not in INVISIBLE_CATEGORIES:
        return character
    return "\n" if category(character) in {"Zl", "Zp"} else " "

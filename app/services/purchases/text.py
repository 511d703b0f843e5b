"""How moments and buyers' own words are written for people, on pages and in mails."""

from datetime import UTC, datetime
from unicodedata import category

# Controls, what turns the text around it, halves of characters, and the line ends that only some programs see.
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# Two format characters spell words in Persian, Sinhala and emoji.
JOINERS = "\u200c\u200d"


def day(moment: datetime) -> str:
    """Return the moment's day in UTC, as in 3 November 2026."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y}"


def clock(moment: datetime) -> str:
    """Return the moment's time of day, as in 14:05 UTC."""
    return f"{moment.astimezone(UTC):%H:%M} UTC"


def moment(at: datetime) -> str:
    """Return the moment's day and time of day, as in 3 November 2026, 14:05 UTC."""
    return f"{day(at)}, {clock(at)}"


def one_line(text: str) -> str:
    """Return the text on one line, without what cannot be seen."""
    return " ".join(lines(text).split())


def lines(text: str) -> str:
    r"""Return the text without what cannot be seen, each line ended by \n."""
    return "".join(map(_seen, text.replace("\r\n", "\n").replace("\r", "\n")))


def _seen(character: str) -> str:
    if character == "\n" or character in JOINERS or category(character) not in UNSEEN:
        return character
    return "\n" if category(character) in {"Zl", "Zp"} else " "

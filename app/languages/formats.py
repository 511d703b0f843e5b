"""Dates, times and numbers as the language in use writes them, and names of either direction inside its sentences."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape

from app import text
from app.languages import speech
from app.languages.speech import gettext
from app.languages.table import ENGLISH, Language

FORMATS = speech.FOLDER / "formats.json"
COUNTRIES = speech.FOLDER / "countries.json"
# All letters and digits that are written from right to left: the ranges that Unicode keeps for them.
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]")
ENGLISH_FORMAT = {"decimal": ".", "group": ",", "grouped_from": 1000, "separator": ", "}
FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"


def day(moment: datetime) -> str:
    """Return the moment's day in UTC, as in 3 November 2026 or 3. November 2026."""
    if speech.language() == ENGLISH:
        return text.format_date(moment)
    return _day(moment.astimezone(UTC).date())


def day_and_time(moment: datetime) -> str:
    """Return the moment's day and time of day, as in 3 November 2026, 14:05 UTC."""
    # TRANSLATORS: a moment, such as "3 November 2026, 14:05 UTC"
    return gettext("%(day)s, %(time)s", day=day(moment), time=isolated(text.format_time(moment)))


def number(value: float | Decimal) -> str:
    """Return the number with all its digits, as in 12,500.5 or 12.500,5."""
    # A plain format of a float would print 1e+16.
    exact = Decimal(str(value))
    is_grouped = exact.is_nan() or abs(exact) >= _format()["grouped_from"]
    shown = f"{exact:,f}" if is_grouped else f"{exact:f}"
    return _with_marks(shown.rstrip("0").rstrip(".") if "." in shown else shown)


def typed_number(value: Decimal) -> str:
    """Return the number as a buyer types it into a form, without groups of digits: 12500.5 or 12500,5.

    Three digits behind a comma would mean thousands to many: 1.125 is 1,1250.
    """
    shown = _with_marks(f"{value:f}")
    return f"{shown}0" if re.search(r",\d{3}$", shown) else shown


def listed(members: Iterable[str]) -> str:
    """Return the members as a list, as in Slack, Teams, Mail."""
    separator: str = _format()["separator"]
    return separator.join(members)


def isolated(name: str | None) -> str:
    """Return the name for plain text, a title or an attribute, so that a sentence's direction does not turn it."""
    if not name or not _needs_isolation(name):
        return name or ""
    return f"{FIRST_STRONG_ISOLATE}{name}{POP_ISOLATE}"


def isolated_html(name: str | None) -> Markup:
    """Return the name for HTML, escaped, and in a `<bdi>` where the direction of the text around could turn it."""
    escaped = escape(name or "")
    return Markup("<bdi>%s</bdi>") % escaped if name and _needs_isolation(str(name)) else escaped


def _needs_isolation(name: str) -> bool:
    if speech.language().dir == "rtl":
        return True
    return RIGHT_TO_LEFT.search(name) is not None


def country_names(language: Language) -> dict[str, str]:
    """Return the language's names of all countries by their codes (ISO 3166-1): read for a form with a list of them.

    `make translations` takes them from Babel.
    """
    names: dict[str, dict[str, str]] = json.loads(COUNTRIES.read_text(encoding="utf-8"))
    return names[language.folder]


def _format() -> dict[str, Any]:
    """Return how the language in use writes numbers, and all but English its days."""
    language = speech.language()
    return ENGLISH_FORMAT if language == ENGLISH else _load_format(language.folder)


@lru_cache(maxsize=16)
def _load_format(folder: str) -> dict[str, Any]:
    """Return how the language writes days and numbers: `make translations` takes it from Babel, which is large."""
    formats: dict[str, dict[str, Any]] = json.loads(FORMATS.read_text(encoding="utf-8"))
    return formats[folder]


def _day(moment: date) -> str:
    format_ = _format()
    number = moment.day if moment.day > 1 else format_["first"]
    day: str = format_["day"]
    return day.format(day=number, month=format_["months"][moment.month - 1], year=moment.year)


def _with_marks(shown: str) -> str:
    format_ = _format()
    return shown.translate({ord(","): format_["group"], ord("."): format_["decimal"]})

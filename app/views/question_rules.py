"""What is accepted as an answer to a product's own question, how it is cleaned, and what is stored of it."""

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from app import text
from app.config.countries import CODES
from app.config.question_kinds import text_in
from app.config.questions import Question
from app.config.setting_checks import URL_HOST

# Of `choices` a list, of `consent` whether it is given, of all others text; a number's is its digits.
Value = str | list[str] | bool
YES, NO = "Yes", "No"
MAX_LOCAL_PART_LENGTH = 64
NUMBER = re.compile(r"[+-]?(\d+(\.\d+)?|\.\d+)")
# A comma or a point between digits is one of decimals or of thousands: these are the ones that can be only one of them.
DECIMAL_COMMA = re.compile(r"([+-]?\d+),(\d{1,2}|\d{4,})")
THOUSANDS_BY_COMMA = re.compile(r"[+-]?\d{1,3}((,\d{3})+\.\d+|(,\d{3}){2,})")
THOUSANDS_BY_POINT = re.compile(r"[+-]?\d{1,3}((\.\d{3})+,\d+|(\.\d{3}){2,})")
ARABIC_SEPARATORS = str.maketrans({"\u066b": ".", "\u066c": None, "\u2212": "-", "'": None, "\u2019": None})
WEB_ADDRESS = re.compile(rf"(?i:https?)://(?:{URL_HOST})+\.(?:{URL_HOST})+([/?#][^\s\"`<>]*)?")
BARE_ADDRESS = re.compile(r"[\w-]+(\.[\w-]+)+(:\d+)?([/?#]\S*)?")


def say(message: str, **values: object) -> str:
    """Return a message to the buyer, with the values in the places of its `%(name)s`."""
    return message % values


def clean(question: Question, typed: list[str]) -> Value:
    """Return the answer as it would be stored, from what the browser sent; empty where nothing was answered."""
    match question.type:
        case "choices":
            # In the order of the page, and what nobody offered after it: it is refused.
            offered = [option.value for option in question.options]
            return sorted(dict.fromkeys(filter(None, typed)), key=lambda v: offered.index(v) if v in offered else 999)
        case "consent":
            return bool(typed and typed[0])
    return CLEANERS.get(question.type, text.clean_answer)(typed[0] if typed else "") or ""


def find_fault(question: Question, answer: Value, language: str) -> str | None:
    """Return what is wrong with the answer, and what would do; None where it is accepted."""
    label = text_in(question.label, language)
    if not answer:
        return say(MISSING.get(question.type, "Answer “%(label)s”."), label=label) if question.required else None
    match answer:
        case str():
            return _find_in_text(question, answer, label, language)
        case list():
            return _find_in_choices(question, answer, label)
    return None


def stored(question: Question, answer: Value, language: str) -> dict[str, Any]:
    """Return the answer as it is stored: with the question as it was asked, and what the buyer saw of the answer."""
    return {
        "id": question.id,
        "label": text_in(question.label, language),
        "type": question.type,
        "value": answer,
        "text": _shown(question, answer, language),
    }


@lru_cache(maxsize=16)
def country_names(language: str) -> dict[str, str]:
    """Return the names of all countries in the language, by their codes, in alphabetical order."""
    # Imported only where a form asks for a country: its data takes long to load.
    from babel import Locale  # noqa: PLC0415

    territories = Locale.parse(language, sep="-").territories
    return dict(sorted(((code, territories[code]) for code in CODES), key=lambda country: _sort_key(country[1])))


def _sort_key(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).casefold()


def _shown(question: Question, answer: Value, language: str) -> str:
    match answer:
        case bool():
            return say(YES if answer else NO)
        case list():
            return ", ".join(text_in(label, language) for value, label in question.options if value in answer)
    if question.type == "choice":
        return next(text_in(label, language) for value, label in question.options if value == answer)
    return country_names(language)[answer] if question.type == "country" else answer


def _find_in_choices(question: Question, answer: list[str], label: str) -> str | None:
    least, most = question.min or 0, question.max or len(question.options)
    if not set(answer) <= {option.value for option in question.options}:
        return say("Choose from the answers to “%(label)s”.", label=label)
    if len(answer) < least:
        return say("Choose at least %(least)s: “%(label)s”.", label=label, least=least)
    return say("Choose at most %(most)s: “%(label)s”.", label=label, most=most) if len(answer) > most else None


def _find_in_text(question: Question, answer: str, label: str, language: str) -> str | None:
    if question.type == "choice":
        is_offered = any(answer == option.value for option in question.options)
        return None if is_offered else say("Choose from the answers to “%(label)s”.", label=label)
    if len(answer) > question.max_length:
        most = question.max_length
        return say("Shorten “%(label)s” to %(most)s characters or fewer.", label=label, most=most)
    if question.type in {"text", "long_text"}:
        return _find_in_words(question, answer, label, language)
    if question.type == "number":
        return _find_in_number(question, answer, label)
    is_right, advice = FORMS[question.type]
    return None if is_right(answer) else say(advice, label=label)


def _find_in_words(question: Question, answer: str, label: str, language: str) -> str | None:
    if question.min and len(answer) < question.min:
        return say("Write at least %(least)s characters: “%(label)s”.", label=label, least=question.min)
    if question.pattern and question.message and not question.pattern.fullmatch(answer):
        return text_in(question.message, language)
    return None


def _find_in_number(question: Question, answer: str, label: str) -> str | None:
    if not NUMBER.fullmatch(answer):
        return say("Enter a number, such as 1200 or 12.5: “%(label)s”.", label=label)
    if question.min is not None and Decimal(answer) < question.min:
        return say("Enter %(least)s or more: “%(label)s”.", label=label, least=f"{question.min:f}")
    if question.max is not None and Decimal(answer) > question.max:
        return say("Enter %(most)s or less: “%(label)s”.", label=label, most=f"{question.max:f}")
    return None


def _clean_number(typed: str) -> str:
    """Return the exact number in ASCII digits, with a point before decimals; another text as it is."""
    line = text.clean_answer(typed) or ""
    if len(line) > 100:
        return line
    number = "".join(unicodedata.normalize("NFKC", line).translate(ARABIC_SEPARATORS).split())
    if DECIMAL_COMMA.fullmatch(number) or THOUSANDS_BY_POINT.fullmatch(number):
        number = number.replace(".", "").replace(",", ".")
    elif THOUSANDS_BY_COMMA.fullmatch(number):
        number = number.replace(",", "")
    # Decimal reads the digits of every script.
    return f"{Decimal(number):f}" if NUMBER.fullmatch(number) else line


def _clean_web_address(typed: str) -> str:
    line = text.clean_answer(typed) or ""
    return f"https://{line}" if len(line) < 2048 and BARE_ADDRESS.fullmatch(line) else line


def _is_email(answer: str) -> bool:
    # Imported only where an answer is an address: it takes long to load.
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415

    try:
        validate_email(answer, check_deliverability=False, allow_smtputf8=True, allow_empty_local=False)
    except EmailNotValidError:
        return False
    return len(answer.rpartition("@")[0]) <= MAX_LOCAL_PART_LENGTH


def _as_sent(typed: str) -> str:
    return typed


CLEANERS: dict[str, Callable[[str], str | None]] = {
    "long_text": text.clean_multiline_answer,
    "email": text.clean_email,
    "number": _clean_number,
    "url": _clean_web_address,
    "choice": _as_sent,
    "country": _as_sent,
}
MISSING = {
    "choice": "Choose an answer to “%(label)s”.",
    "choices": "Choose an answer to “%(label)s”.",
    "country": "Choose a country: “%(label)s”.",
    "consent": "Tick “%(label)s” to go on.",
}
FORMS: dict[str, tuple[Callable[[str], object], str]] = {
    "email": (_is_email, "Enter an email address like name@example.com: “%(label)s”."),
    "url": (WEB_ADDRESS.fullmatch, "Enter an address like https://example.com: “%(label)s”."),
    "country": (CODES.__contains__, "Choose a country: “%(label)s”."),
}

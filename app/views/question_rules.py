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
from app.languages import formats
from app.languages.speech import N_, gettext, ngettext
from app.languages.table import of_code
from app.views.forms import MAX_LOCAL_PART_LENGTH

# Of `choices` a list, of `consent` whether it is given, of all others text; a number's is its digits.
Value = str | list[str] | bool
NUMBER = re.compile(r"[+-]?(\d+(\.\d+)?|\.\d+)")
# A comma or a point between digits is one of decimals or of thousands: these are the ones that can be only one of them.
DECIMAL_COMMA = re.compile(r"[+-]?(\d+,(\d{1,2}|\d{4,})|0,\d+)")
THOUSANDS_BY_COMMA = re.compile(r"[+-]?\d{1,3}((,\d{3})+\.\d+|(,\d{3}){2,})")
THOUSANDS_BY_POINT = re.compile(r"[+-]?\d{1,3}((\.\d{3})+,\d+|(\.\d{3}){2,})")
ARABIC_SEPARATORS = str.maketrans({"\u066b": ".", "\u066c": None, "\u2212": "-", "'": None, "\u2019": None})
WEB_ADDRESS = re.compile(rf"(?i:https?)://(?:{URL_HOST})+\.(?:{URL_HOST})+([/?#][^\s\"`<>]*)?")
BARE_ADDRESS = re.compile(r"[\w-]+(\.[\w-]+)+(:\d+)?([/?#]\S*)?")


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
    label = formats.isolated(text_in(question.label, language))
    if not answer:
        message = MISSING.get(question.type, DEFAULT_MISSING)
        return gettext(message, label=label) if question.required else None
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
def sorted_country_names(language: str) -> dict[str, str]:
    """Return the names of all countries in the language, by their codes, in alphabetical order."""
    names = formats.country_names(of_code(language))
    return dict(sorted(names.items(), key=lambda country: _sort_key(country[1])))


def _sort_key(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).casefold()


def _shown(question: Question, answer: Value, language: str) -> str:
    match answer:
        case bool():
            # TRANSLATORS: what the buyer answered to a box such as "I agree to be called"
            return gettext("Agreed") if answer else gettext("Not agreed")
        case list():
            return formats.listed(text_in(label, language) for value, label in question.options if value in answer)
    match question.type:
        case "choice":
            return next(text_in(label, language) for value, label in question.options if value == answer)
        case "country":
            return sorted_country_names(language)[answer]
        case "number":
            return formats.typed_number(Decimal(answer))
    return answer


def _find_in_choices(question: Question, answer: list[str], label: str) -> str | None:
    least, most = int(question.min or 0), int(question.max or len(question.options))
    if not set(answer) <= {option.value for option in question.options}:
        return gettext(NOT_OFFERED, label=label)
    if len(answer) < least:
        return gettext("“%(label)s”: choose at least %(least)s.", label=label, least=formats.number(least))
    if len(answer) > most:
        return gettext("“%(label)s”: choose at most %(most)s.", label=label, most=formats.number(most))
    return None


def _find_in_text(question: Question, answer: str, label: str, language: str) -> str | None:
    if question.type == "choice":
        is_offered = any(answer == option.value for option in question.options)
        return None if is_offered else gettext(NOT_OFFERED, label=label)
    if len(answer) > question.max_length:
        return _too_long(question.max_length, label)
    if question.type in {"text", "long_text"}:
        return _find_in_words(question, answer, label, language)
    if question.type == "number":
        return _find_in_number(question, answer, label)
    is_right, advice = FORMS[question.type]
    return None if is_right(answer) else gettext(advice, label=label)


def _too_long(most: int, label: str) -> str:
    return ngettext(
        "Shorten “%(label)s” to %(most)s character or fewer.",
        "Shorten “%(label)s” to %(most)s characters or fewer.",
        most,
        label=label,
        most=formats.number(most),
    )


def _find_in_words(question: Question, answer: str, label: str, language: str) -> str | None:
    least = int(question.min or 0)
    if len(answer) < least:
        return ngettext(
            "“%(label)s”: write at least %(least)s character.",
            "“%(label)s”: write at least %(least)s characters.",
            least,
            label=label,
            least=formats.number(least),
        )
    if question.pattern and question.message and not question.pattern.fullmatch(answer):
        return text_in(question.message, language)
    return None


def _find_in_number(question: Question, answer: str, label: str) -> str | None:
    if not NUMBER.fullmatch(answer):
        example = formats.number(Decimal("12.5"))
        return gettext("“%(label)s”: enter a number, such as 1200 or %(example)s.", label=label, example=example)
    if question.min is not None and Decimal(answer) < question.min:
        return gettext("“%(label)s”: enter %(least)s or more.", label=label, least=formats.typed_number(question.min))
    if question.max is not None and Decimal(answer) > question.max:
        return gettext("“%(label)s”: enter %(most)s or less.", label=label, most=formats.typed_number(question.max))
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
# TRANSLATORS: %(label)s is always a question of the seller's own, of any length and grammar
DEFAULT_MISSING = N_("Answer “%(label)s”.")
NOT_OFFERED = N_("Choose from the answers to “%(label)s”.")
CHOOSE_COUNTRY = N_("“%(label)s”: choose a country.")
MISSING = {
    "choice": N_("Choose an answer to “%(label)s”."),
    "choices": N_("Choose an answer to “%(label)s”."),
    "country": CHOOSE_COUNTRY,
    # TRANSLATORS: %(label)s is what the buyer agrees to by ticking a box
    "consent": N_("Tick “%(label)s” to go on."),
}
FORMS: dict[str, tuple[Callable[[str], object], str]] = {
    "email": (_is_email, N_("“%(label)s”: enter an email address like name@example.com.")),
    "url": (WEB_ADDRESS.fullmatch, N_("“%(label)s”: enter an address like https://example.com.")),
    "country": (CODES.__contains__, CHOOSE_COUNTRY),
}

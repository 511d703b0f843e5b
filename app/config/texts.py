"""Reads `[products.CODE.texts.LANGUAGE]`: a product's own texts in place of those of our pages and mails.

    [products.prodcode1234567890.texts.de]
    "Thank you for subscribing." = "Schön, dass Sie da sind."

A key is an English text of app/translations/foyer.pot, or the product's own `ready_within`. A text with a plural is
replaced by a list of its forms, in the order of the language's catalogue.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from gettext import GNUTranslations
from unicodedata import category

from app.config.settings import SettingsError
from app.languages import speech
from app.languages.speech import DOMAIN, FOLDER, TAG, Texts
from app.languages.table import BY_CODE

MAX_LENGTH = 2000
PLACEHOLDER = re.compile(r"%\((\w+)\)s")
TAG_NAME = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class Message:
    """A text of ours, with what may stand in its place."""

    placeholders: frozenset[str]
    tags: frozenset[str]
    has_plural: bool = False


def parse(heading: str, table: object, own_texts: tuple[str, ...] = ()) -> Texts:
    """Return the texts of the table by language and English text; `own_texts` are the product's.

    Raises:
        SettingsError: it says which text of which language is wrong, and how it would be right.
    """
    if not table:
        return {}
    if not isinstance(table, dict):
        raise SettingsError(f"{heading}: it must be a table of languages, such as [products.CODE.texts.de].")
    messages = _load_messages() | {text: _message(text) for text in own_texts}
    texts, problems = {}, []
    for code, replaced in table.items():
        place = f"{heading[:-1]}.{code}]"
        if code not in BY_CODE:
            problems.append(f"{place}: there is no such language. The languages are {', '.join(BY_CODE)}.")
        elif not isinstance(replaced, dict):
            problems.append(f"{place}: it must be a table of texts.")
        else:
            found = {key: _problem(messages, code, key, text) for key, text in replaced.items()}
            problems += [f'{place} "{key}": {problem}' for key, problem in found.items() if problem]
            texts[code] = {key: _forms(text) for key, text in replaced.items()}
    if problems:
        raise SettingsError(*problems)
    return texts


def _forms(text: object) -> tuple[str, ...]:
    forms = text if isinstance(text, list) else [text]
    return tuple(" ".join(str(form).split()) for form in forms)


def _load_messages() -> dict[str, Message]:
    """Return our texts by their English: read only for a seller who replaces some."""
    with (FOLDER / "en" / "LC_MESSAGES" / f"{DOMAIN}.mo").open("rb") as file:
        catalogue = GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    # A text with a plural has the key of its singular and the number of the form.
    plurals = {key[0]: _message(text, has_plural=True) for key, text in catalogue.items() if isinstance(key, tuple)}
    return {key: _message(key) for key in catalogue if key and isinstance(key, str)} | plurals


def _message(text: str, *, has_plural: bool = False) -> Message:
    return Message(frozenset(PLACEHOLDER.findall(text)), frozenset(TAG.findall(text)), has_plural)


NO_SUCH_TEXT = "there is no such text. They are in app/translations/foyer.pot."


def _problem(messages: Mapping[str, Message], code: str, key: str, text: object) -> str | None:
    """Return what is wrong with the text in the place of ours; None where nothing is."""
    message = messages.get(key)
    if message is None:
        nearest = get_close_matches(key, messages, n=1)
        return f'there is no such text. The nearest one is "{nearest[0]}".' if nearest else NO_SUCH_TEXT
    if message.has_plural:
        return _plural_problem(message, code, text)
    return _text_problem(message, text)


def _plural_problem(message: Message, code: str, forms: object) -> str | None:
    count = speech.count_plural_forms(BY_CODE[code])
    if not isinstance(forms, list) or len(forms) != count:
        return f"it must be a list of the forms that the language has for numbers, of which there are {count}."
    return next(filter(None, (_text_problem(message, form) for form in forms)), None)


def _text_problem(message: Message, text: object) -> str | None:
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_LENGTH:
        return f"it must be text of 1 to {MAX_LENGTH} characters."
    if any(category(character) == "Cc" for character in " ".join(text.split())):
        return "it has control characters."
    names = sorted(message.placeholders)
    if unknown := set(PLACEHOLDER.findall(text)) - message.placeholders:
        shown = ", ".join(f"%({name})s" for name in names) or "none"
        return f"it has %({min(unknown)})s, which this text has not. What it may have: {shown}."
    if "%" in PLACEHOLDER.sub("", text).replace("%%", ""):
        return "write %% for a percent sign."
    tags = [tag for tag in TAG.findall(text) if tag in message.tags]
    opened = [_tag_name(tag) for tag in tags if not tag.startswith("</")]
    closed = [_tag_name(tag) for tag in tags if tag.startswith("</")]
    if sorted(opened) != sorted(closed):
        return f"its tags do not match. What it may have: {' '.join(sorted(message.tags))}"
    return None


def _tag_name(tag: str) -> str:
    return str(TAG_NAME.findall(tag)[0])

"""What the fields of a question may be: wordings by language, options, numbers and patterns.

Their faults are whole sentences, which name what is wrong within the field.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from app.config.fields import Text
from app.config.patterns import Pattern
from app.config.setting_checks import check_text
from app.languages import table

ENGLISH = table.ENGLISH.code
MAX_OPTIONS = 100
MAX_VALUE_LENGTH = 100
# By the language's code, always with English: AWS demands an English page.
Wordings = Mapping[str, str]


def text_in(wordings: Wordings, language: str) -> str:
    """Return the wording in the language; the English one where the seller wrote none."""
    return wordings.get(language) or wordings[ENGLISH]


class Option(NamedTuple):
    """One answer to choose: what is stored, and what the buyer sees."""

    value: str
    label: Wordings


class OwnKind:
    """A kind of this module: what it raises completes no description."""


class Phrase(OwnKind):
    """A text for every language, or a table of texts by language, with English."""

    def __init__(self, max_length: int) -> None:
        self.max_length = max_length
        self.text = Text(pattern=r".*\S.*", max_length=max_length, check=check_text)

    def read(self, value: object) -> Wordings:
        """Return the wordings."""
        if not isinstance(value, dict):
            return {ENGLISH: self._read_one(value, "")}
        if unknown := [code for code in value if code not in table.BY_CODE]:
            raise ValueError(f"it has {unknown[0]!a}, which is none of the languages: {', '.join(table.BY_CODE)}")
        if ENGLISH not in value:
            raise ValueError("it has no English: add en. AWS Marketplace requires a page in English")
        return {code: self._read_one(text, f"in {code}, ") for code, text in value.items()}

    def _read_one(self, value: object, place: str) -> str:
        try:
            return self.text.read(value)
        except ValueError as error:
            fault = f". I{str(error)[1:]}" if str(error).startswith("it has") else ""
            wanted = f"{place}it must be one line of text, of 1 to {self.max_length} characters"
            raise ValueError(f"{wanted}{fault}") from None


class Options(OwnKind):
    """A list of texts, or of tables with `value` and `label`."""

    def read(self, value: object) -> tuple[Option, ...]:
        """Return the options."""
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_OPTIONS:
            raise ValueError(f"it must be a list of 1 to {MAX_OPTIONS} answers to choose from")
        options = tuple(self._read_one(option, f"answer {place}") for place, option in enumerate(value, 1))
        for name, values in (
            ("value", [one.value for one in options]),
            ("label", [one.label[ENGLISH] for one in options]),
        ):
            if repeated := next((text for i, text in enumerate(values) if text in values[:i]), None):
                raise ValueError(f"two answers have the {name} {repeated!a}")
        return options

    def _read_one(self, option: object, place: str) -> Option:
        entry = {"value": option, "label": option} if isinstance(option, str) else option
        if not isinstance(entry, dict) or entry.keys() != {"value", "label"}:
            raise ValueError(f'{place} must be a text, or a table such as {{ value = "s", label = "Small" }}')
        try:
            label = Phrase(200).read(entry["label"])
            value = Phrase(MAX_VALUE_LENGTH).read(entry["value"] if isinstance(entry["value"], str) else None)[ENGLISH]
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
        return Option(value, label)


class Quantity(OwnKind):
    """A whole or decimal number of TOML, exact."""

    def read(self, value: object) -> Decimal:
        """Return the number."""
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= 1e15:
            raise ValueError("it must be a number, without quotes")
        return Decimal(str(value))


class Expression(OwnKind):
    """A regular expression for the whole answer."""

    def read(self, value: object) -> Pattern:
        """Return the pattern."""
        if not isinstance(value, str) or not value:
            raise ValueError("it must be a regular expression, in quotes")
        try:
            return Pattern(value)
        except ValueError as error:
            raise ValueError(f"it must be {error}") from None

"""Declares what a setting, or a field of a table in products.toml, may be, and reads all of them at once.

    @dataclass(frozen=True, kw_only=True)
    class Shop:
        name: str = declare(Text(pattern="[a-z]+", example="front"), description="What buyers call it.")
        is_open: bool = declare(YesOrNo(), default=False, description="Whether buyers may enter.")

    values, problems = read(Shop, {"is_open": "yes"})  # {"is_open": True}, {"name": "it is not set"}

A kind reads a text of the environment as well as a value of TOML.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, overload

from app.config import setting_checks, stray_characters

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
D = TypeVar("D")

YES = {"true", "t", "yes", "y", "on", "1"}
NO = {"false", "f", "no", "n", "off", "0"}
WHOLE_NUMBER = re.compile(r"\s*([+-]?[0-9]+(?:_[0-9]+)*)(?:\.0+)?\s*")


class TableFaults(Exception):
    """What is wrong in a table: each with its place in the table, and a sentence that has no full stop yet."""

    def __init__(self, faults: Iterable[tuple[str, str]]) -> None:
        self.faults = list(faults)
        super().__init__(self.faults)


class Kind(Protocol[T_co]):
    """What a field may be."""

    def read(self, value: object) -> T_co:
        """Return the value as the field has it. ValueError says what is wrong with it, without repeating it."""


class Text(NamedTuple):
    """A text. The pattern is for the whole of it; `check` raises ValueError with what is wrong."""

    pattern: str = ""
    example: str = ""
    min_length: int = 0
    max_length: int | None = None
    check: Callable[[str], object] | None = None

    def read(self, value: object) -> str:
        """Return the text."""
        if not isinstance(value, str):
            raise ValueError("it must be text")
        if len(value) < self.min_length:
            raise ValueError(f"String should have at least {self.min_length} characters")
        if self.max_length is not None and len(value) > self.max_length:
            raise ValueError(f"String should have at most {self.max_length} characters")
        if self.check:
            self.check(value)
        if self.pattern and not re.fullmatch(self.pattern, value):
            fault = stray_characters.find_in_code(value)
            raise ValueError(f"it must look like {self.example}{f'. It has {fault}' if fault else ''}")
        return value


class TextList(NamedTuple):
    """Texts between commas."""

    item: Text

    def read(self, value: object) -> tuple[str, ...]:
        """Return the texts."""
        return tuple(map(self.item.read, setting_checks.split_commas(Text().read(value))))


class FilePath:
    """The path of a file, which need not exist."""

    def read(self, value: object) -> Path:
        """Return the path."""
        return value if isinstance(value, Path) else Path(Text(check=setting_checks.check_exact).read(value))


class YesOrNo:
    """True or false, in any spelling that is usual."""

    def read(self, value: object) -> bool:
        """Return whether it is true."""
        word = str(value).lower()
        if word not in YES | NO:
            raise ValueError("Input should be a valid boolean, unable to interpret input")
        return word in YES


class WholeNumber(NamedTuple):
    """A whole number."""

    minimum: int
    maximum: int

    def read(self, value: object) -> int:
        """Return the number."""
        match = WHOLE_NUMBER.fullmatch(str(value))
        try:
            number = int(match[1]) if match else None
        except ValueError:  # more digits than Python reads
            number = None
        if number is None:
            raise ValueError("Input should be a valid integer, unable to parse string as an integer")
        if number < self.minimum:
            raise ValueError(f"Input should be greater than or equal to {self.minimum}")
        if number > self.maximum:
            raise ValueError(f"Input should be less than or equal to {self.maximum}")
        return number


class OneOf(Generic[T]):
    """One of a few words."""

    def __init__(self, *words: T) -> None:
        self.words = words

    def read(self, value: object) -> T:
        """Return the word."""
        for word in self.words:
            if word == value:
                return word
        *others, last = map(repr, self.words)
        raise ValueError(f"Input should be {', '.join(others)} or {last}")


class Declaration(NamedTuple):
    """What `declare` says of a field. The description is for the seller."""

    kind: Kind[Any]
    description: str
    default: object
    is_secret: bool

    @property
    def is_required(self) -> bool:
        """Return whether the field has no default."""
        return self.default is MISSING


@overload
def declare(kind: Kind[T], *, description: str, is_secret: bool = False) -> T: ...
@overload
def declare(kind: Kind[T], *, default: D, description: str, is_secret: bool = False) -> T | D: ...
def declare(kind: Kind[Any], *, default: Any = MISSING, description: str, is_secret: bool = False) -> Any:
    """Return the field of a dataclass, with what it may be, why a seller sets it, and whether it is a secret."""
    declaration = Declaration(kind, description, default, is_secret)
    return dataclasses.field(default=default, repr=not is_secret, metadata={"declaration": declaration})


def declared(table: type) -> dict[str, Declaration]:
    """Return the declarations of the dataclass's fields, by name."""
    all_fields = dataclasses.fields(table)
    return {field.name: field.metadata["declaration"] for field in all_fields if "declaration" in field.metadata}


def read_table(table: type[T], values: object) -> T:
    """Return the dataclass that a table of products.toml describes.

    Raises:
        TableFaults: it is no table, or a value is refused.
    """
    if not isinstance(values, dict):
        raise TableFaults([("", "it must be a table")])
    accepted, problems = read(table, values)
    if problems:
        raise TableFaults((name, _describe(declared(table), name)) for name in problems)
    return table(**accepted)


def _describe(declarations: Mapping[str, Declaration], name: str) -> str:
    if name not in declarations:
        *others, last = declarations
        return f"there is no such field. The fields are {', '.join(others)} and {last}"
    return f"it must be {declarations[name].description}"


def read(table: type, values: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values for the dataclass, and what is wrong with others, by name. None is like a value left out."""
    declarations = declared(table)
    accepted, problems = {}, {}
    for name, declaration in declarations.items():
        try:
            if (value := values.get(name)) is not None:
                accepted[name] = declaration.kind.read(value)
            elif declaration.is_required:
                problems[name] = "it is not set"
        except ValueError as error:
            problems[name] = str(error)
    return accepted, problems | {name: "there is no such field" for name in values if name not in declarations}

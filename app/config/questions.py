"""The questions of one product's sign-up form: the tables [[products.CODE.questions]] of products.toml."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.config import fields, secret_questions
from app.config.fields import OneOf, TableFaults, Text, YesOrNo, declare
from app.config.patterns import MAX_LENGTH, Pattern
from app.config.question_kinds import Expression, Option, Options, OwnKind, Phrase, Quantity, Wordings

MAX_QUESTIONS = 20
# All answers of a form together: a hand-off stays below the 100 kB that Express takes by default.
MAX_CHARACTERS = 16_000
MAX_DIGITS = 30
# By the type, the fields that not every type has.
TYPES: Mapping[str, frozenset[str]] = {
    "text": frozenset({"min", "max", "pattern", "message"}),
    "long_text": frozenset({"min", "max"}),
    "choice": frozenset({"options"}),
    "choices": frozenset({"options", "min", "max"}),
    "consent": frozenset(),
    "email": frozenset(),
    "url": frozenset({"max"}),
    "number": frozenset({"min", "max"}),
    "country": frozenset(),
}
FIELDS_OF_ALL = {"id", "type", "label", "hint", "required"}
# How many characters an answer has at most where `max` does not say so, and how many `max` may say.
LENGTHS = {"text": (200, 1000), "long_text": (2000, 5000), "url": (500, 2048), "email": (254, 254), "country": (2, 2)}
# Built in: without an entry, the first stands before the questions and the others after them.
PLACEABLE = ("phone", "account", "notes")
ALWAYS_FIRST = ("company", "full_name", "email")
# Of a question's field in the form: its id follows.
FIELD_PREFIX = "q_"
ID_PATTERN = r"[a-z][a-z0-9_]{0,39}"
FIELD_NAME = re.compile(FIELD_PREFIX + ID_PATTERN)
# Names of what is stored beside the answers.
RESERVED = {"existing_account", "language", "created_at", "updated_at", "subscription_id", "other"}


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question, as its table says. Each description completes "it must be".

    `min` and `max` are of a text's length, of how many options are chosen, or of the number itself.
    """

    id: str = declare(Text(pattern=ID_PATTERN), description="1 to 40 of a-z, 0-9 and _, such as team_size")
    type: str = declare(OneOf(*TYPES), description=f"one of {', '.join(TYPES)}")
    label: Wordings = declare(Phrase(200), description="text, or a table of texts by language")
    hint: Wordings | None = declare(Phrase(500), default=None, description="text, or a table of texts by language")
    options: tuple[Option, ...] = declare(Options(), default=(), description="a list of the answers to choose from")
    required: bool = declare(YesOrNo(), default=False, description="true or false")
    min: Decimal | None = declare(Quantity(), default=None, description="a number")
    max: Decimal | None = declare(Quantity(), default=None, description="a number")
    pattern: Pattern | None = declare(Expression(), default=None, description="a regular expression")
    message: Wordings | None = declare(Phrase(200), default=None, description="text, or a table of texts by language")

    @property
    def max_length(self) -> int:
        """How many characters a typed answer may have."""
        if self.type == "number":
            return MAX_DIGITS
        return int(self.max) if self.max is not None and self.type in LENGTHS else LENGTHS[self.type][0]

    @property
    def max_stored_characters(self) -> int:
        """How many characters the longest answer has, with what the buyer sees of it."""
        lengths = [len(value) + max(map(len, label.values())) for value, label in self.options]
        if self.type in {"choice", "choices"}:
            return sum(lengths) if self.type == "choices" else max(lengths)
        return 5 if self.type == "consent" else self.max_length


QUESTION_FIELDS = fields.declared(Question)


@dataclass(frozen=True, kw_only=True)
class Questions:
    """What a product's form asks beside company, name and address.

    `order` has the names of the built-in fields, and the ids of the questions, as they stand on the page.
    """

    asked: tuple[Question, ...] = ()
    order: tuple[str, ...] = PLACEABLE

    @property
    def max_characters(self) -> int:
        """How many characters the longest answers to all questions have."""
        return sum(question.max_stored_characters for question in self.asked)


NO_QUESTIONS = Questions()


def read(tables: object) -> Questions:
    """Return the questions. A fault's place is a table's number, id and field, such as `2 "team_size" options`.

    Raises:
        TableFaults: there are too many, or one has fields that are refused.
    """
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise TableFaults([("", "write each question as a table of its own, under [[...]]")])
    # Read once: a pattern of a thousand states takes its time.
    readings = [({}, {}) if table.get("id") in PLACEABLE else fields.read(Question, table) for table in tables]
    entries = enumerate(zip(tables, readings, strict=True), 1)
    faults = [
        (_place(number, table, name), fault)
        for number, (table, (values, problems)) in entries
        for name, fault in _check(table, values, problems)
    ]
    faults += [(_place(i, tables[i - 1], "id"), "another entry has it already") for i in _repeated(tables)]
    if len(tables) > MAX_QUESTIONS + len(PLACEABLE):
        faults.append(("", f"there are {len(tables)}, and at most {MAX_QUESTIONS} are asked. Leave some out"))
    if faults:
        raise TableFaults(faults)
    asked = tuple(Question(**values) for values, _ in readings if values)
    questions = Questions(asked=asked, order=_order(tables))
    if len(asked) > MAX_QUESTIONS:
        raise TableFaults([("", f"there are {len(asked)}, and at most {MAX_QUESTIONS} are asked. Leave some out")])
    if questions.max_characters > MAX_CHARACTERS:
        wanted = f"the longest answers to all of them have {questions.max_characters:,} characters together"
        raise TableFaults([("", f"{wanted}, and at most {MAX_CHARACTERS:,} fit. Set max where texts may be long")])
    return questions


def _check(table: dict[str, Any], values: dict[str, Any], problems: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the fields that are wrong, each with what is."""
    id_ = table.get("id")
    if id_ in PLACEABLE:
        yield from _check_built_in(table)
        return
    if id_ in ALWAYS_FIRST:
        yield "id", f"{', '.join(ALWAYS_FIRST)} are always asked, and first. Remove this entry"
    if isinstance(id_, str) and id_ in RESERVED:
        yield "id", "Foyer needs this name itself. Choose another one"
    for name, problem in problems.items():
        yield name, _describe(name, problem)
    if "type" in values:
        yield from _check_type(values, table)
    yield from _check_wordings(values)


def _check_built_in(table: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in sorted(table.keys() - {"id", "show"}):
        yield name, f"{table['id']} is built in. It takes show alone, and stands where its entry stands"
    if not isinstance(table.get("show", True), bool):
        yield "show", "it must be true or false, without quotes"


def _check_type(values: dict[str, Any], table: dict[str, Any]) -> Iterator[tuple[str, str]]:
    type_ = values["type"]
    for name in sorted(values.keys() - FIELDS_OF_ALL - TYPES[type_]):
        yield name, f"a question of the type {type_} has none. Remove it"
    if type_ in {"choice", "choices"} and "options" not in table:
        yield "options", "it is not set. List the answers to choose from"
    if type_ == "text" and "pattern" in table and "message" not in table:
        yield "message", "it is not set. Tell the buyer what a right answer looks like"
    if type_ == "text" and "message" in table and "pattern" not in table:
        yield "pattern", "it is not set. message is for it"
    yield from _check_bounds(type_, values)


def _check_bounds(type_: str, values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    least, most = values.get("min"), values.get("max")
    limit = LENGTHS[type_][1] if type_ in LENGTHS else len(values.get("options", ())) or None
    if "pattern" in values:
        limit = MAX_LENGTH
    for name in ("min", "max") if type_ != "number" else ():
        bound = values.get(name)
        if bound is not None and not (bound == int(bound) and 1 <= bound <= (limit or bound)):
            yield name, f"it must be a whole number from 1 to {limit}"
    if most is None and type_ in LENGTHS:
        most = LENGTHS[type_][0]
    if least is not None and most is not None and least > most:
        yield "min", f"it is larger than max, which is {most}"


def _check_wordings(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the fields that ask for what no seller may ask for."""
    texts = {
        "id": [values.get("id", "")],
        "label": values.get("label", {}).values(),
        "hint": (values.get("hint") or {}).values(),
    }
    for name, wordings in texts.items():
        find = secret_questions.find_in_hint if name == "hint" else secret_questions.find
        if asks_for := next(filter(None, map(find, wordings)), None):
            yield name, f"it asks for {asks_for}. AWS Marketplace forbids that, and so does Foyer: remove the question"


def _describe(name: str, problem: str) -> str:
    if name not in QUESTION_FIELDS:
        *others, last = QUESTION_FIELDS
        return f"there is no such field. The fields are {', '.join(others)} and {last}; show is for the built-in ones"
    description = f"it must be {QUESTION_FIELDS[name].description}"
    if problem == "it is not set":
        return f"it is not set: {description}"
    return problem if isinstance(QUESTION_FIELDS[name].kind, OwnKind) else description


def _place(number: int, table: dict[str, Any], name: str) -> str:
    id_ = table.get("id")
    shown = f' "{id_}"' if isinstance(id_, str) and id_.isprintable() and len(id_) <= 40 else ""
    return f"{number}{shown} {name if name.isprintable() else ascii(name)}"


def _repeated(tables: list[dict[str, Any]]) -> list[int]:
    ids = [table.get("id") for table in tables]
    return [i for i, id_ in enumerate(ids, 1) if id_ is not None and id_ in ids[: i - 1]]


def _order(tables: list[dict[str, Any]]) -> tuple[str, ...]:
    placed = [table["id"] for table in tables]
    phone, *others = PLACEABLE
    names = [*([phone] if phone not in placed else []), *placed, *(name for name in others if name not in placed)]
    hidden = {table["id"] for table in tables if table.get("show") is False}
    return tuple(name for name in names if name not in hidden)

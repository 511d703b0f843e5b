"""The tables of a product with what its sign-up form asks."""

from decimal import Decimal
from pathlib import Path

import pytest

from app.config import questions
from app.config.question_kinds import text_in
from app.config.questions import NO_QUESTIONS, Questions
from tests.config import product_file
from tests.config.product_file import PRODUCT, refusal

TABLE = "[[products.first.questions]]"
TEAM_SIZE = f'{TABLE}\nid = "team_size"\ntype = "number"\nlabel = {{ en = "Team size", de = "Teamgröße" }}\n'


def load(folder: Path, text: str) -> Questions:
    return product_file.load(folder, text).questions


def question(**values: str) -> str:
    """Return the table of a question with these values in TOML; the others are those of a text."""
    values = {"id": '"plan"', "type": '"text"', "label": '"Plan"', **values}
    return "\n".join([TABLE, *(f"{name} = {value}" for name, value in values.items() if value), ""])


def test_product_without_questions_asks_what_is_built_in(tmp_path: Path) -> None:
    assert load(tmp_path, "") == NO_QUESTIONS
    assert NO_QUESTIONS.order == ("phone", "account", "notes")


def test_question_has_its_texts_by_language_and_exact_bounds(tmp_path: Path) -> None:
    [asked] = load(tmp_path, f"{TEAM_SIZE}required = true\nmin = 0.1\nmax = 20").asked

    assert [text_in(asked.label, language) for language in ("en", "de", "ja")] == [
        "Team size",
        "Teamgröße",
        "Team size",
    ]
    assert (asked.required, asked.min, asked.max) == (True, Decimal("0.1"), Decimal(20))


def test_entries_move_and_drop_what_is_built_in(tmp_path: Path) -> None:
    notes, phone = f'{TABLE}\nid = "notes"\n', f'{TABLE}\nid = "phone"\nshow = false\n'

    assert load(tmp_path, TEAM_SIZE).order == ("phone", "team_size", "account", "notes")
    assert load(tmp_path, notes + TEAM_SIZE + phone).order == ("notes", "team_size", "account")


@pytest.mark.parametrize(
    ("text", "place", "advice"),
    [
        (question(id='"Plan"'), '1 "Plan" id', "1 to 40 of a-z, 0-9 and _"),
        (question(id=""), "1 id", "it is not set"),
        (question(id='["a"]'), "1 id", "1 to 40 of a-z"),
        (question(id='"email"'), '1 "email" id', "are always asked, and first"),
        (question(id='"existing_account"'), "id", "Choose another one"),
        (question() * 2, '2 "plan" id', "another entry has it already"),
        (question(id='"phone"'), '1 "phone" label', "phone is built in"),
        (f'{TABLE}\nid = "phone"\nshow = "no"', '1 "phone" show', "true or false"),
        (question(type='"list"'), "type", "one of text, long_text, choice"),
        (question(label='""'), "label", "one line of text, of 1 to 200 characters"),
        (question(label='{ de = "Tarif" }'), "label", "add en"),
        (question(label='{ en = "Plan", xx = "x" }'), "label", "it has 'xx', which is none of the languages: en, de"),
        (question(label='{ en = "Plan", de = 3 }'), "label", "in de, it must be one line of text"),
        (question(hint='"a\\u0007b"'), "hint", "It has the invisible character U+0007 inside. Remove it"),
        (question(options='["a"]'), "options", "a question of the type text has none"),
        (question(type='"choice"'), "options", "List the answers to choose from"),
        (question(type='"choice"', options='["a", "a"]'), "options", "two answers have the value 'a'"),
        (question(type='"choice"', options='["a", { value = "b" }]'), "options", "answer 2 must be a text, or"),
        (question(type='"choices"', options='["a", "b"]', max="3"), "max", "a whole number from 1 to 2"),
        (question(min="5", max="2"), "min", "it is larger than max, which is 2"),
        (question(min="201"), "min", "it is larger than max, which is 200"),
        (question(max="1.5"), "max", "a whole number from 1 to 1000"),
        (question(max='"2"'), "max", "a number, without quotes"),
        (question(required='"maybe"'), "required", "true or false"),
        (question(pattern="'[A-Z]+'"), "message", "Tell the buyer what a right answer looks like"),
        (question(message='"x"'), "pattern", "it is not set"),
        (question(pattern="'(a'", message='"x"'), "pattern", "that Python's re can read"),
        (question(pattern="'(?=a)b'", message='"x"'), "pattern", "without look-ahead"),
        (question(pattern="'a{999}'", message='"x"'), "pattern", "that repeats less"),
        (question(pattern="'a'", message='"x"', max="201"), "max", "a whole number from 1 to 200"),
        (question(colour='"red"'), "colour", "there is no such field. The fields are id, type"),
        (question(label='"Your credit card number"'), "label", "AWS Marketplace forbids that"),
        ("questions = 3", "[[products.first.questions]]", "a table of its own"),
        ("".join(question(id=f'"q{i}"', max="1") for i in range(21)), "", "there are 21, and at most 20 are asked"),
        ("".join(question(id=f'"q{i}"', max="1") for i in range(24)), "", "there are 24, and at most 20 are asked"),
        ("".join(question(id=f'"q{i}"', max="900") for i in range(20)), "", "have 18,000 characters together"),
    ],
)
def test_refused_field_is_named_with_what_would_do(tmp_path: Path, text: str, place: str, advice: str) -> None:
    message = refusal(tmp_path, text)

    assert (
        f"{tmp_path / 'products.toml'}, {'' if place.startswith('[') else f'{TABLE} '}{place}".rstrip() in message
        or (f" {place}: " in message)
    )
    assert advice in message


def test_all_faults_of_all_products_are_named_at_once(tmp_path: Path) -> None:
    second = PRODUCT.replace("first", "second").replace('"https', '"ftp')

    message = refusal(tmp_path, f'{question(id="3", type="4")}\n[products.first.usage]\nunit = "x"\n{second}')

    assert len(message.splitlines()) == 5


def test_sizes_of_the_longest_answers_are_counted() -> None:
    tables = [
        {"id": "plan", "type": "choices", "label": "Plan", "options": ["ab", {"value": "c", "label": {"en": "def"}}]},
        {"id": "why", "type": "long_text", "label": "Why?"},
        {"id": "terms", "type": "consent", "label": "I agree."},
    ]

    assert questions.read(tables).max_characters == (2 + 2 + 1 + 3) + 2000 + 5

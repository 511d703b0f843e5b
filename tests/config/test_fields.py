"""Fields: values of the environment and of TOML are read by what is declared, and all problems are reported at once."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from app.config.fields import FilePath, Kind, OneOf, Text, TextList, WholeNumber, YesOrNo, declare, read


@dataclass(frozen=True, kw_only=True)
class Shop:
    name: str = declare(Text(), description="What buyers call it.")
    colour: str = declare(OneOf("red", "blue", "green"), default="red", description="Its colour.")
    is_open: bool = declare(YesOrNo(), default=False, description="Whether buyers may enter.")


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Text(pattern="[a-z]+", max_length=3), "abc", "abc"),
        (TextList(Text(min_length=2)), " ab,,cd ", ("ab", "cd")),
        (FilePath(), "products.toml", Path("products.toml")),
        *((YesOrNo(), value, True) for value in ("true", "T", "Yes", "y", "on", "1", True)),
        *((YesOrNo(), value, False) for value in ("false", "F", "No", "n", "OFF", "0", False)),
        *((WholeNumber(-5, 10), value, 5) for value in ("5", "+5", "05", " 5\t", "5.00", 5)),
        *((WholeNumber(-5, 10), value, expected) for value, expected in {"-5": -5, "1_0": 10, "-0": 0}.items()),
        (OneOf("red", "blue"), "blue", "blue"),
    ],
)
def test_value_of_a_usual_spelling_is_read(kind: Kind[object], value: object, expected: object) -> None:
    assert (kind.read(value), type(kind.read(value))) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(
            (Text(pattern="[a-z]{2,}", max_length=3), value)
            for value in ("", "a", "abcd", "ab\n", "AB", 5, True, ["ab"])
        ),
        *((TextList(Text(min_length=2)), value) for value in ("ab,c", 5, ["ab"])),
        *((FilePath(), value) for value in (" products.toml", 5)),
        *((YesOrNo(), value) for value in (" true", "perhaps", "", "2", 2, 1.0, [True])),
        *((WholeNumber(0, 10), value) for value in ("-1", "11", "", "5.", "5.5", "1e0", "1__0", "\u0665", "9" * 5000)),
        *((WholeNumber(0, 10), value) for value in (-1, 5.5, True, [5])),
        *((OneOf("red", "blue"), value) for value in ("", "Red", 1, ["red"])),
    ],
)
def test_value_of_another_kind_is_refused_without_repeating_it(kind: Kind[object], value: object) -> None:
    with pytest.raises(ValueError, match=r"\w") as raised:
        kind.read(value)

    assert repr(value) not in str(raised.value)


def test_all_problems_are_reported_at_once_by_name() -> None:
    values, problems = read(Shop, {"colour": "black", "is_open": "yes", "size": 3})

    assert values == {"is_open": True}
    assert problems == {
        "name": "it is not set",
        "colour": "Input should be 'red', 'blue' or 'green'",
        "size": "there is no such field",
    }


def test_none_is_like_a_value_left_out() -> None:
    values, problems = read(Shop, {"name": "front", "colour": None})

    assert (Shop(**values), problems) == (Shop(name="front", colour="red", is_open=False), {})

"""Patterns of questions: they match what Python's re matches, and never take long."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.patterns import MAX_LENGTH, Pattern

PATTERNS = [
    "",
    "[A-Z]{2}[0-9]{3}",
    "^(a+)+b$",
    "(a|a)*b",
    "(?i)de\\d{2,}",
    "a|b|",
    r"[^a-c\]\-]*",
    "(ab?){2,3}?",
    r"[\w.-]+@[\w-]+\.\w+",
    "(|a)*b",
    "(?P<x>a)(?:b)[^a].",
    r"\W\D\S|\s",
    "(?s)a.b",
]


@given(source=st.sampled_from(PATTERNS), text=st.text("abcDE12.@-] \n\u0660ß", max_size=8))
def test_any_text_matches_as_in_the_standard_library(source: str, text: str) -> None:
    # With \n at its end, `$` would match before it: answers have none.
    expected = re.fullmatch(source.removeprefix("^").removesuffix("$"), text)

    assert Pattern(source).fullmatch(text) == bool(expected)


@pytest.mark.parametrize("source", ["(a+)+b", "(a|a)*b", "(a?){30}a{30}b", "a*a*a*a*a*a*b", "(.*)*(.*)*b"])
def test_pattern_that_takes_other_programs_years_takes_no_time(source: str) -> None:
    pattern = Pattern(source)

    began = time.process_time()
    assert not pattern.fullmatch("a" * MAX_LENGTH)

    assert time.process_time() - began < 1

"""Which language a browser's Accept-Language header gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.languages import choice
from app.languages.table import LANGUAGES


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "en"),
        ("*", "en"),
        ("de", "de"),
        ("de-AT", "de"),
        ("zh-Hans-CN, zh;q=0.9", "zh-CN"),
        ("zh-Hans", "zh-CN"),
        ("zh-TW", "en"),
        ("pt-PT", "pt-BR"),
        ("fr-CA, en;q=0.5", "fr"),
        ("en-GB, de;q=0.9", "en"),
        ("sv, de;q=0.5", "de"),
        ("ja;q=0, ko", "ko"),
        ("en;q=0.1, ar-EG;q=0.9", "ar"),
        ("xx-%%%, es", "es"),
        ("a" * 600, "en"),
        ("de," + "x," * 300, "en"),
    ],
)
def test_header_gets_the_first_language_that_we_have(header: str, code: str) -> None:
    assert choice.by_header(header).code == code


@given(
    header=st.text(max_size=60) | st.lists(st.sampled_from(["de", "-", ";q=", "1", "*", ",", "zh", "é"])).map("".join)
)
def test_any_header_gets_a_language(header: str) -> None:
    assert choice.by_header(header) in LANGUAGES

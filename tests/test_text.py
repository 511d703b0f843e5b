"""How text is cleaned and dates are written."""

from datetime import datetime, timedelta, timezone

import pytest

from app import text

MOMENT = datetime(2026, 11, 4, 0, 5, tzinfo=timezone(timedelta(hours=10)))


def test_dates_are_written_in_utc() -> None:
    assert text.format_date(MOMENT) == "3 November 2026"
    assert text.format_time(MOMENT) == "14:05 UTC"


@pytest.mark.parametrize("answer", [None, ""])
def test_missing_answer_stays_missing(answer: str | None) -> None:
    cleaners = (text.clean_answer, text.clean_multiline_answer, text.clean_phone_number)

    assert [clean(answer) for clean in cleaners] == [answer] * 3


def test_answers_lose_invisible_characters_and_mails_get_spaces() -> None:
    assert text.clean_answer(" a\u200bb\x07\tc\r\nd ") == "ab c d"
    assert text.clean_single_line(" a\u200bb\x07\tc\r\nd ") == "a b c d"


def test_line_ends_become_newlines() -> None:
    assert text.clean_multiline_answer("\na\r\nb\rc\u2028d\u2029") == "a\nb\nc\nd"
    assert text.clean_lines("a\r\nb\rc\u2028d\u2029") == "a\nb\nc\nd\n"


def test_joiners_inside_words_are_kept_in_answers_and_mails() -> None:
    assert text.clean_answer("\u200cمی\u200cخواهم\u200d") == "می\u200cخواهم"
    assert text.clean_single_line("می\u200cخواهم") == "می\u200cخواهم"


def test_unprintable_characters_are_stripped_except_those_to_keep() -> None:
    assert text.strip_unprintable("a\x00\r\nb\ud800") == "ab"
    assert text.strip_unprintable("a\x00\r\nb\ud800", keep="\r\n\t") == "a\r\nb"

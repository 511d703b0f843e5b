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
    cleaners = (text.clean_answer, text.clean_multiline_answer, text.clean_phone_number, text.clean_email)

    assert [clean(answer) for clean in cleaners] == [answer] * 4


def test_answers_lose_invisible_characters_and_mails_get_spaces() -> None:
    assert text.clean_answer(" a\u200bb\x07\tc\r\nd ") == "ab c d"
    assert text.clean_single_line(" a\u200bb\x07\tc\r\nd ") == "a b c d"


def test_line_ends_become_newlines() -> None:
    assert text.clean_multiline_answer("\na\r\nb\rc\u2028d\u2029") == "a\nb\nc\nd"
    assert text.clean_lines("a\r\nb\rc\u2028d\u2029") == "a\nb\nc\nd\n"


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("\n \n\tBasic\tPro\nSeats\t5\t25\t\n", "\tBasic\tPro\nSeats\t5\t25"),
        ("  \t Basic\tPro", "\t Basic\tPro"),
        ("   Hello\n   there  ", "Hello\n   there"),
        ("\t\n \t", ""),
    ],
)
def test_pasted_table_keeps_its_tabs_in_answers_and_mails(typed: str, cleaned: str) -> None:
    assert text.clean_multiline_answer(typed) == cleaned
    assert text.clean_multiline_text(typed) == cleaned


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("rosa\uff20example.com", "rosa@example.com"),
        (
            "\uff52\uff4f\uff53\uff41\uff20\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45\uff0e\uff43\uff4f\uff4d",
            "rosa@example.com",
        ),
        ("rosa@example\u3002com", "rosa@example.com"),
        ("rosa@example\uff61com", "rosa@example.com"),
        ("rosa\u0662\u06f3\u0967@example.com", "rosa231@example.com"),
        ("rosa@my\u2011company.example", "rosa@my-company.example"),
        ("\u3000mailto:rosa@example.com\u200f", "rosa@example.com"),
        ("mailto:", "mailto:"),
        ("zoë@例\u3002example", "zoë@例.example"),
        ("rosa@\u0645\u062b\u0627\u0644\u0662.example", "rosa@\u0645\u062b\u0627\u0644\u0662.example"),
    ],
)
def test_address_is_folded_to_what_it_stands_for(typed: str, cleaned: str) -> None:
    assert text.clean_email(typed) == cleaned


def test_joiners_inside_words_are_kept_in_answers_and_mails() -> None:
    assert text.clean_answer("\u200cمی\u200cخواهم\u200d") == "می\u200cخواهم"
    assert text.clean_single_line("می\u200cخواهم") == "می\u200cخواهم"


def test_unprintable_characters_are_stripped_except_those_to_keep() -> None:
    assert text.strip_unprintable("a\x00\r\nb\ud800") == "ab"
    assert text.strip_unprintable("a\x00\r\nb\ud800", keep="\r\n\t") == "a\r\nb"

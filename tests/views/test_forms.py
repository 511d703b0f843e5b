"""The sign-up form's rules for what browsers, phones and keyboards send."""

from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict

from app.services.signup.registrations import Answers
from app.views.forms import SignupForm
from tests.support.factories import ANSWERS

REFUSED_PHONE = "Enter a phone number like +1 555 010 0199, or leave this empty."
INVISIBLE = ["\u200b", "\u200d", "\u200c\u200d", "\u00ad", "\u2060\ufeff", " \u200e "]


@pytest.fixture(autouse=True)
def request_context() -> Iterator[None]:
    """A request context, which Flask-WTF needs."""
    with Flask(__name__).test_request_context():
        yield


def filled(**answers: str) -> SignupForm:
    return SignupForm(formdata=MultiDict({**ANSWERS, **answers}), meta={"csrf": False})


def accepted(**answers: str) -> Answers:
    form = filled(**answers)
    assert form.validate(), form.errors
    return form.answers()


def test_line_break_counts_as_one_character() -> None:
    longest = "x" + "\r\n" * 1998 + "y"

    stored = accepted(notes=longest).notes
    too_long = filled(notes=longest + "zz")

    assert stored == "x" + "\n" * 1998 + "y"
    assert not too_long.validate()
    assert too_long.notes.errors == ["Shorten this to 2000 characters or fewer."]


def test_line_breaks_in_notes_are_normalised() -> None:
    notes = "one\r\ntwo\rthree\nfour\r\x07\nfive\u2028six\u2029seven"

    stored = accepted(notes=notes).notes

    assert stored == "one\ntwo\nthree\nfour\nfive\nsix\nseven"


@pytest.mark.parametrize("value", INVISIBLE)
def test_invisible_required_answer_is_refused(value: str) -> None:
    form = filled(company=value)

    assert not form.validate()
    assert form.company.errors == ["Enter the name of your company."]


@pytest.mark.parametrize("value", INVISIBLE)
def test_invisible_optional_answers_are_empty(value: str) -> None:
    answers = accepted(phone=value, notes=value)

    assert (answers.phone, answers.notes) == (None, None)


def test_reversing_and_hidden_characters_are_removed() -> None:
    answers = accepted(
        company="Juniper \u202egnp.exe", full_name="Ada\u200b Love\u00adlace\u200d", notes="\u2066a\u2069 b"
    )

    assert (answers.company, answers.full_name, answers.notes) == ("Juniper gnp.exe", "Ada Lovelace", "a b")


@pytest.mark.parametrize("name", ["نامه\u200cها", "ක්\u200dෂ", "👩\u200d💻 Works"])
def test_joiners_inside_words_are_kept(name: str) -> None:
    answers = accepted(company=f"\u200c{name}\u200d")

    assert answers.company == name


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("+1 555 010 0199 ext. 12", "+1 555 010 0199 ext. 12"),
        ("+1 555 010 0199, Ext 12", "+1 555 010 0199, Ext 12"),
        ("555-0199x12", "555-0199x12"),
        ("555-0199 X 12", "555-0199 X 12"),
        ("\u202a+1 (555) 010-0199\u202c", "+1 (555) 010-0199"),
        ("+1\u2011555\u2011010\u20110199", "+1-555-010-0199"),
        ("555\u20130100 \u2014 \uff0d", "555-0100 - -"),
        ("+1\u00a0555\u202f010\u00a00199", "+1 555 010 0199"),
        ("*31#, 5550199", "*31#, 5550199"),
    ],
)
def test_phone_number_formats_are_accepted(typed: str, stored: str) -> None:
    assert accepted(phone=typed).phone == stored


@pytest.mark.parametrize(
    "phone", ["call me", "555 0199 ext", "555 0199 extra 1", "555 0199 mobile", "xxxxx", "1234", "5550199 <b>"]
)
def test_invalid_phone_number_is_refused(phone: str) -> None:
    form = filled(phone=phone)

    assert not form.validate()
    assert form.phone.errors == [REFUSED_PHONE]

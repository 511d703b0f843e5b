"""The sign-up form's rules for what browsers, phones and keyboards send."""

from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict

from app.services.signup.registrations import Answers
from app.views.forms import InvitationForm, SignupForm
from tests.support.factories import ANSWERS

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
        ("０９０－１２３４－５６７８", "090-1234-5678"),
        ("０９０ー１２３４ ー ５６７８", "090-1234 - 5678"),
        ("０９０─１２３４━５６７８", "090-1234-5678"),
        ("（０３）１２３４　５６７８", "(03)1234 5678"),
        ("０３－１２３４－５６７８（センター）", "03-1234-5678(センター)"),
        ("＋81 90 1234 5678", "+81 90 1234 5678"),
        ("090\u22121234\u22125678", "090-1234-5678"),
        ("٠٥٠ ١٢٣ ٤٥٦٧", "050 123 4567"),
        ("\u200f۰۹۱۲۳۴۵۶۷۸۹", "09123456789"),
        ("०९८७६ ५४३२१", "09876 54321"),
        ("tel:+15550100199", "+15550100199"),
        ("TEL：０３－１２３４－５６７８", "03-1234-5678"),
        ("+1 555 010 0199 extension 12", "+1 555 010 0199 extension 12"),
        ("+41 44 668 18 00 (Zentrale)", "+41 44 668 18 00 (Zentrale)"),
        ("1-800-FLOWERS", "1-800-FLOWERS"),
    ],
)
def test_phone_number_formats_are_accepted(typed: str, stored: str) -> None:
    assert accepted(phone=typed).phone == stored


@pytest.mark.parametrize(
    "phone",
    ["call me", "555 0199 ext", "5550199 <b>", "1234", "☎ ½", "ask Zoë", "tel:", "センター", "?", "\ufdfa" * 50],
)
def test_odd_phone_number_is_kept_as_typed(phone: str) -> None:
    assert accepted(phone=phone).phone == phone


def test_phone_number_of_more_than_fifty_characters_is_refused() -> None:
    form = filled(phone="5" * 51)

    assert not form.validate()
    assert form.phone.errors == ["Shorten this to 50 characters or fewer."]


@pytest.mark.parametrize("form_type", [SignupForm, InvitationForm])
@pytest.mark.parametrize(
    ("typed", "errors"),
    [
        ("x" * 64 + "@example.com", []),
        ("x" * 65 + "@example.com", ["Shorten the part before the @ to 64 characters or fewer."]),
        ("\uff58" * 65 + "\uff20example.com", ["Shorten the part before the @ to 64 characters or fewer."]),
    ],
)
def test_part_before_the_at_has_at_most_64_characters(
    form_type: type[SignupForm | InvitationForm], typed: str, errors: list[str]
) -> None:
    form = form_type(formdata=MultiDict({**ANSWERS, "email": typed}), meta={"csrf": False})

    assert form.validate() is not bool(errors)
    assert list(form.email.errors) == errors


@pytest.mark.parametrize("form_type", [SignupForm, InvitationForm])
def test_full_width_address_is_folded_before_it_is_checked(form_type: type[SignupForm | InvitationForm]) -> None:
    form = form_type(formdata=MultiDict({**ANSWERS, "email": "ｒｏｓａ＠ｅｘａｍｐｌｅ．ｃｏｍ"}), meta={"csrf": False})

    assert form.validate()
    assert form.email.data == "rosa@example.com"


@pytest.mark.parametrize("form_type", [SignupForm, InvitationForm])
def test_no_field_lets_the_browser_cut_what_is_pasted(form_type: type[SignupForm | InvitationForm]) -> None:
    form = form_type(meta={"csrf": False})

    assert [field.name for field in form if "maxlength" in str(field())] == []

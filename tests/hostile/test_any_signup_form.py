"""The sign-up form with random answers (hypothesis): stored so that every page can show them, or refused."""

import unicodedata

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from app.views.forms import SignupForm
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import csrf_token

SPECIAL = (
    "\x00\r\n\t \x1b\x7f\x85\xa0\xad\u200b\u200c\u200d\u202e\u2028\u2029\u2066\ufeff\uffff"
    "\U0001f469\U000e0041\U0010ffff<>&\"'=+-@"
)
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(SPECIAL),
    st.text(st.sampled_from("0123456789+() x.ext#*/,-\u2011")),
    st.emails(),
    st.text("a\u200c\u200d\n", min_size=300, max_size=2100),
)
ANSWER_SETS = st.fixed_dictionaries({name: st.one_of(st.just(answer), TEXT) for name, answer in ANSWERS.items()})
FIELD_LISTS = st.lists(st.tuples(st.sampled_from([*ANSWERS, "submit", ""]), TEXT), max_size=20)


def validated_form(fields: "MultiDict[str, str]") -> SignupForm:
    with Flask(__name__).test_request_context():
        form = SignupForm(formdata=fields, meta={"csrf": False})
        form.validate()
        return form


@pytest.fixture
def hidden_fields(client: FlaskClient, sandbox: Sandbox) -> dict[str, str]:
    """The hidden fields of a buyer's form."""
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    return {"csrf_token": csrf_token(client.get("/signup").text)}


@given(answers=ANSWER_SETS)
@example(answers={**ANSWERS, "company": "a\uffff", "notes": "\U0010ffff\ufdd0"})
def test_any_answers_are_stored_and_shown_or_refused(
    client: FlaskClient, hidden_fields: dict[str, str], answers: dict[str, str]
) -> None:
    response = client.post("/signup", data={**hidden_fields, **answers})

    assert response.status_code in {303, 422, 429}
    if response.status_code == 303:
        assert client.get("/welcome").status_code == 200


@given(fields=FIELD_LISTS)
def test_form_reads_the_first_value_of_a_repeated_field(fields: list[tuple[str, str]]) -> None:
    form = validated_form(MultiDict(fields))

    first_values = dict(reversed(fields))
    for name in ANSWERS:
        form_with_one_field = validated_form(MultiDict({name: first_values[name]} if name in first_values else {}))
        assert form[name].data == form_with_one_field[name].data


@given(answers=ANSWER_SETS)
def test_stored_answers_do_not_change_when_sent_again(answers: dict[str, str]) -> None:
    form = validated_form(MultiDict(answers))
    stored = {name: form[name].data or "" for name in ANSWERS}

    second_form = validated_form(MultiDict(stored))

    assert {name: second_form[name].data or "" for name in ANSWERS} == stored
    assert not form.errors or second_form.errors


@given(answers=ANSWER_SETS)
def test_stored_answers_have_no_control_or_format_characters(answers: dict[str, str]) -> None:
    form = validated_form(MultiDict(answers))

    for name in ANSWERS:
        stored = form[name].data or ""
        assert "\n" not in stored or name == "notes"
        categories = {unicodedata.category(character) for character in stored if character not in "\n\t\u200c\u200d"}
        assert not categories & {"Cc", "Cf", "Cs", "Zl", "Zp"}

"""The sign-up form, whatever is typed into it: kept as it can be shown, or refused with a reason."""

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
FILLED_IN = st.fixed_dictionaries({name: st.one_of(st.just(usual), TEXT) for name, usual in ANSWERS.items()})
STRANGE = st.lists(st.tuples(st.sampled_from([*ANSWERS, "submit", ""]), TEXT), max_size=20)


def form_of(fields: "MultiDict[str, str]") -> SignupForm:
    with Flask(__name__).test_request_context():
        form = SignupForm(formdata=fields, meta={"csrf": False})
        form.validate()
        return form


@pytest.fixture
def sign_up_form(client: FlaskClient, sandbox: Sandbox) -> dict[str, str]:
    """The hidden fields of a form that a buyer has open."""
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    return {"csrf_token": csrf_token(client.get("/signup").text)}


@given(typed=FILLED_IN)
@example(typed={**ANSWERS, "company": "a\uffff", "notes": "\U0010ffff\ufdd0"})
def test_whatever_is_typed_is_kept_and_shown_or_refused_with_a_reason(
    client: FlaskClient, sign_up_form: dict[str, str], typed: dict[str, str]
) -> None:
    sent = client.post("/signup", data={**sign_up_form, **typed})

    assert sent.status_code in {303, 422, 429}
    if sent.status_code == 303:
        assert client.get("/welcome").status_code == 200


@given(fields=STRANGE)
def test_no_field_is_taken_for_another_however_often_it_comes(fields: list[tuple[str, str]]) -> None:
    form = form_of(MultiDict(fields))

    first = dict(reversed(fields))
    for name in ANSWERS:
        alone = form_of(MultiDict({name: first[name]} if name in first else {}))
        assert form[name].data == alone[name].data


@given(typed=FILLED_IN)
def test_what_is_kept_is_kept_as_it_is_when_it_is_sent_again(typed: dict[str, str]) -> None:
    form = form_of(MultiDict(typed))
    kept = {name: form[name].data or "" for name in ANSWERS}

    again = form_of(MultiDict(kept))

    assert {name: again[name].data or "" for name in ANSWERS} == kept
    assert not form.errors or again.errors


@given(typed=FILLED_IN)
def test_nothing_is_kept_that_no_page_can_show(typed: dict[str, str]) -> None:
    form = form_of(MultiDict(typed))

    for name in ANSWERS:
        kept = form[name].data or ""
        assert "\n" not in kept or name == "notes"
        assert not {unicodedata.category(c) for c in kept if c not in "\n\t\u200c\u200d"} & {
            "Cc",
            "Cf",
            "Cs",
            "Zl",
            "Zp",
        }

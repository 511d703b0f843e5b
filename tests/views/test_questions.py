"""The form of a product with questions of its own: what it shows, accepts, stores and shows again."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.config import questions
from app.views import question_fields
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.support.asked_questions import FORM, QUESTIONS, SHOWN
from tests.support.databases import on_sqlite
from tests.support.page_checks import csrf_token
from tests.views.question_forms import land, send, stored


def test_answers_are_stored_with_the_question_as_it_was_asked(
    open_client: Callable[..., FlaskClient], sandbox: Sandbox, purchase: Purchase
) -> None:
    client = open_client()

    assert send(client, land(client, sandbox, purchase)).status_code == 303

    answers = stored(client.application)
    assert answers["team"] == {
        "id": "team",
        "label": "Team name",
        "type": "text",
        "value": "Quill & Feather",
        "text": "Quill & Feather",
    }
    assert [answers[name]["value"] for name in ("tools", "news", "seats", "land")] == [["s", "m"], True, "12.50", "JP"]
    assert {name: answer["text"] for name, answer in answers.items()} == SHOWN


@on_sqlite
def test_form_shows_each_question_and_each_answer_again(
    open_client: Callable[..., FlaskClient], sandbox: Sandbox, purchase: Purchase
) -> None:
    client = open_client()
    page = land(client, sandbox, purchase)

    wrong = send(client, page, email="wrong")
    assert wrong.status_code == 422
    send(client, page)
    changed = client.get("/signup?change=").text

    assert "As on your door." in page
    assert re.search(r'<input type="checkbox"\s+id="q_news"[^>]*>\s*<label for="q_news">Send me news.', page)
    assert page.count('<option value="Zone') == 8
    assert page.count('name="q_plan"') == 2
    for again in (wrong.text, changed):
        assert 'value="Quill &amp; Feather"' in again
        assert "\nFirst line\nsecond line</textarea>" in again
        assert 'value="Large" checked' in again
        assert '<option value="Zone 3" selected>' in again
        assert re.findall(r'name="q_tools"\s+value="(\w)" checked', again) == ["s", "m"]
        assert re.search(r'id="q_news"[^>]* checked', again)
        assert 'value="12.50"' in again
        assert '<option value="JP" selected>Japan</option>' in again


@on_sqlite
@pytest.mark.parametrize(
    ("field", "answer", "advice"),
    [
        ("q_plan", "", "Choose an answer to “Plan”."),
        ("q_plan", "Huge", "Choose from the answers to “Plan”."),
        ("q_tools", ["s", "x"], "Choose from the answers to “Tools”."),
        ("q_tools", ["s", "t", "m"], "“Tools”: choose at most 2."),
        ("q_billing", "bills", "“Billing contact”: enter an email address like name@example.com."),
        ("q_site", "javascript:alert(1)", "“Your site”: enter an address like https://example.com."),
        ("q_seats", "", "Answer “Seats”."),
        ("q_seats", "many", "“Seats”: enter a number, such as 1200 or 12.5."),
        ("q_seats", "1,000", "“Seats”: enter a number, such as 1200 or 12.5."),
        ("q_seats", "0.5", "“Seats”: enter 1 or more."),
        ("q_seats", "100000.01", "“Seats”: enter 100000 or less."),
        ("q_land", "ZZ", "“Country”: choose a country."),
        ("q_team", "x" * 201, "Shorten “Team name” to 200 characters or fewer."),
    ],
)
def test_refused_answer_is_named_with_what_would_do(
    open_client: Callable[..., FlaskClient], sandbox: Sandbox, purchase: Purchase, field: str, answer: Any, advice: str
) -> None:
    client = open_client()

    response = send(client, land(client, sandbox, purchase), **{field: answer})

    assert response.status_code == 422
    assert f'<li><a href="#{field}">{advice}</a></li>' in response.text
    assert f'<p class="error" id="{field}-error">' in response.text


@on_sqlite
@pytest.mark.parametrize(
    ("typed", "exact"),
    [
        ("١٢٫٥", "12.5"),
        ("12,5", "12.5"),
        ("1.234,50", "1234.50"),
        ("1,234.50", "1234.50"),
        (" 1 200 ", "1200"),
        ("１２", "12"),
        ("+007", "7"),
    ],
)
def test_number_is_read_exactly_in_any_unambiguous_spelling(
    open_client: Callable[..., FlaskClient], sandbox: Sandbox, purchase: Purchase, typed: str, exact: str
) -> None:
    client = open_client()

    assert send(client, land(client, sandbox, purchase), q_seats=typed).status_code == 303

    assert stored(client.application)["seats"]["value"] == exact


@on_sqlite
def test_required_consent_has_to_be_given_and_refused_consent_is_kept(
    open_client: Callable[..., FlaskClient], sandbox: Sandbox, purchase: Purchase
) -> None:
    terms = {"id": "terms", "type": "consent", "label": "I agree.", "required": True}
    client = open_client([terms, {"id": "news", "type": "consent", "label": "News."}])
    page = land(client, sandbox, purchase)
    unticked = {name: answer for name, answer in FORM.items() if name != "q_news"}

    refused = client.post("/signup", data={**unticked, "csrf_token": csrf_token(page)})
    accepted = client.post("/signup", data={**unticked, "q_terms": "yes", "csrf_token": csrf_token(page)})

    assert (refused.status_code, accepted.status_code) == (422, 303)
    assert "Tick “I agree.” to go on." in refused.text
    answers = stored(client.application)
    assert [(answers[name]["value"], answers[name]["text"]) for name in ("terms", "news")] == [
        (True, "Agreed"),
        (False, "Not agreed"),
    ]


@on_sqlite
def test_pattern_refuses_with_the_sellers_message(
    open_client: Callable[..., FlaskClient], sandbox: Sandbox, purchase: Purchase
) -> None:
    vat = {"id": "vat", "type": "text", "label": "VAT id", "pattern": "(?i)[a-z]{2}[0-9]{3}", "message": "Like AT123."}
    client = open_client([vat])
    page = land(client, sandbox, purchase)

    assert "Like AT123." in send(client, page, q_vat="AT12").text
    assert send(client, page, q_vat="at123").status_code == 303


def test_answers_of_another_language_are_labelled_in_it() -> None:
    asked = questions.read([QUESTIONS[0], QUESTIONS[9]])
    with Flask(__name__).test_request_context(method="POST", data={"q_team": "Quill", "q_land": "DE"}):
        form = question_fields._make_class(asked, "de")(meta={"csrf": False})

        assert [(answer["label"], answer["text"]) for answer in form.own_answers()] == [
            ("Teamname", "Quill"),
            ("Country", "Deutschland"),
        ]

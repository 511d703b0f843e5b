"""The form of a product with questions of its own: what it shows, accepts, stores and shows again."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.config import questions
from app.models import Registration
from app.views import question_fields
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.support import asked_questions, factories
from tests.support.asked_questions import FORM, QUESTIONS, SHOWN
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD
from tests.support.page_checks import CheckedClient, csrf_token
from tests.support.stored_rows import all_rows


@pytest.fixture
def purchase(sandbox: Sandbox) -> Purchase:
    return sandbox.marketplace.buy(factories.order())


@pytest.fixture
def open_client(environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., FlaskClient]]:
    """A function that returns a browser at an application that asks these questions."""
    contexts = []

    def open_(asked: list[dict[str, Any]] = QUESTIONS, **product: Any) -> FlaskClient:
        asked_questions.configure(environment, tmp_path, asked, **product)
        context = factories.open_app(create_app())
        contexts.append(context)
        app = context.__enter__()
        app.test_client_class = CheckedClient
        return app.test_client()

    yield open_
    for context in contexts:
        context.__exit__(None, None, None)


def land(client: FlaskClient, sandbox: Sandbox, purchase: Purchase) -> str:
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    return client.get("/signup").text


def send(client: FlaskClient, page: str, **fields: Any) -> TestResponse:
    return client.post("/signup?change=", data={**FORM, **fields, "csrf_token": csrf_token(page)})


def stored(app: Flask) -> dict[str, dict[str, Any]]:
    [registration] = all_rows(app, Registration)
    return {answer["id"]: answer for answer in registration.answers or []}


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
    assert re.search(r'<input type="checkbox" id="q_news"[^>]*>\s*<label for="q_news">Send me news.', page)
    assert page.count('<option value="Zone') == 8
    assert page.count('name="q_plan"') == 2
    for again in (wrong.text, changed):
        assert 'value="Quill &amp; Feather"' in again
        assert "\nFirst line\nsecond line</textarea>" in again
        assert 'value="Large" checked' in again
        assert '<option value="Zone 3" selected>' in again
        assert re.findall(r'name="q_tools" value="(\w)" checked', again) == ["s", "m"]
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
        ("q_tools", ["s", "t", "m"], "Choose at most 2: “Tools”."),
        ("q_billing", "bills", "Enter an email address like name@example.com: “Billing contact”."),
        ("q_site", "javascript:alert(1)", "Enter an address like https://example.com: “Your site”."),
        ("q_seats", "", "Answer “Seats”."),
        ("q_seats", "many", "Enter a number, such as 1200 or 12.5: “Seats”."),
        ("q_seats", "1,000", "Enter a number, such as 1200 or 12.5: “Seats”."),
        ("q_seats", "0.5", "Enter 1 or more: “Seats”."),
        ("q_seats", "100000.01", "Enter 100000 or less: “Seats”."),
        ("q_land", "ZZ", "Choose a country: “Country”."),
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
        (True, "Yes"),
        (False, "No"),
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


@on_sqlite
def test_built_in_questions_are_moved_and_dropped(
    open_client: Callable[..., FlaskClient], sandbox: Sandbox, purchase: Purchase
) -> None:
    client = open_client([{"id": "notes"}, {"id": "phone", "show": False}, QUESTIONS[0]])
    page = land(client, sandbox, purchase)

    response = send(client, page, phone="+1 555 0100")

    assert re.findall(r'<label for="(\w+)"', page) == ["company", "full_name", "email", "notes", "q_team"]
    assert response.status_code == 303
    [registration] = all_rows(client.application, Registration)
    assert (registration.phone, registration.notes) == (None, factories.ANSWERS["notes"])


@on_sqlite
def test_account_can_be_left_out_unless_the_buyer_has_one(
    open_client: Callable[..., FlaskClient],
    environment: pytest.MonkeyPatch,
    sandbox: Sandbox,
    purchase: Purchase,
) -> None:
    factories.enable_handoffs(environment)
    handoffs = {"handoff_url": factories.UNREACHABLE_URL}
    client = open_client([], **handoffs)
    assert 'name="account"' in land(client, sandbox, purchase)
    without = open_client([{"id": "account", "show": False}], **handoffs)

    page = land(without, sandbox, purchase)
    assert 'name="account"' not in page
    send(client, client.get("/signup").text, account="existing", existing_account="acme-7")

    without.set_cookie("session", client.get_cookie("session").value)  # type: ignore[union-attr]
    assert 'value="acme-7"' in without.get("/signup?change=").text


def test_old_answers_stay_as_they_were_asked_when_questions_change(
    open_client: Callable[..., FlaskClient], sandbox: Sandbox, purchase: Purchase
) -> None:
    client = open_client()
    send(client, land(client, sandbox, purchase))
    before = stored(client.application)
    session = client.get_cookie("session")
    assert session

    changed = open_client([{**QUESTIONS[0], "label": "Name of the team"}, {**QUESTIONS[2], "options": ["S", "L"]}])
    changed.set_cookie("session", session.value)
    page = changed.get("/signup?change=").text
    fields = {**factories.ANSWERS, "company": "New Name", "q_team": "Quill", "q_plan": "L"}
    response = changed.post("/signup?change=", data={**fields, "csrf_token": csrf_token(page)})

    assert response.status_code == 303
    after = stored(changed.application)
    assert (after["team"]["label"], after["team"]["value"]) == ("Name of the team", "Quill")
    assert after["plan"]["value"] == "L"
    assert {name: after[name] for name in set(before) - {"team", "plan"}} == {
        name: before[name] for name in set(before) - {"team", "plan"}
    }


@on_sqlite
def test_answer_that_is_no_longer_offered_stays_until_there_is_another(
    open_client: Callable[..., FlaskClient], sandbox: Sandbox, purchase: Purchase
) -> None:
    client = open_client()
    send(client, land(client, sandbox, purchase))
    session = client.get_cookie("session")
    assert session

    changed = open_client([{**QUESTIONS[3], "options": ["Another"]}, QUESTIONS[0]])
    changed.set_cookie("session", session.value)
    page = changed.get("/signup?change=").text
    changed.post("/signup?change=", data={**factories.ANSWERS, "q_zone": "", "csrf_token": csrf_token(page)})

    answers = stored(changed.application)
    assert answers["zone"]["value"] == "Zone 3"
    # What the buyer saw and removed is gone.
    assert "team" not in answers


@on_sqlite
def test_welcome_page_shows_the_answers_to_who_gave_them(
    open_client: Callable[..., FlaskClient], sandbox: Sandbox, purchase: Purchase
) -> None:
    client = open_client()
    send(client, land(client, sandbox, purchase))
    stranger = client.application.test_client()
    stranger.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})

    own, others = client.get("/welcome").text, stranger.get("/welcome").text

    for text in ("Team name", "Quill &amp; Feather", "Slack, Mail", "Japan"):
        assert text in own
        assert text not in others


def test_answers_of_another_language_are_labelled_in_it() -> None:
    asked = questions.read([QUESTIONS[0], QUESTIONS[9]])
    with Flask(__name__).test_request_context(method="POST", data={"q_team": "Quill", "q_land": "DE"}):
        form = question_fields._make_class(asked, "de")(meta={"csrf": False})

        assert [(answer["label"], answer["text"]) for answer in form.own_answers()] == [
            ("Teamname", "Quill"),
            ("Country", "Deutschland"),
        ]

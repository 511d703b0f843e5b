"""Answers to a product's own questions stay through errors, outages and a lost session, also the longest ones."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.config.questions import MAX_CHARACTERS
from app.models import Registration, StoredDraft
from app.security import headers
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.support import asked_questions, longest_values, shown_form
from tests.support.asked_questions import FORM, QUESTIONS
from tests.support.databases import on_sqlite
from tests.support.longest_values import MAX_HEAD_BYTES, head_bytes
from tests.support.page_checks import csrf_token
from tests.support.pending_purchases import resolve_pending
from tests.support.stored_rows import all_rows
from tests.views.outages import browser_without_database
from tests.views.question_forms import land
from tests.views.test_draft_cookie import lose_session

pytestmark = on_sqlite
LONG_QUESTIONS = [{"id": f"text{number}", "type": "long_text", "label": "Why?"} for number in range(8)]
LONGEST = {f"q_text{number}": longest_values.text(2000, longest_values.ASTRAL) for number in range(8)}


@pytest.fixture
def asked(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """The questions of the product."""
    return getattr(request, "param", QUESTIONS)


@pytest.fixture
def client(open_client: Callable[..., FlaskClient], asked: list[dict[str, Any]]) -> FlaskClient:
    """A browser at an application that asks the questions."""
    return open_client(asked)


def test_answers_of_each_type_come_back_after_an_error(
    client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    page = land(client, sandbox, purchase)
    client.post("/signup", data={**FORM, "email": "wrong", "csrf_token": csrf_token(page)})

    again = land(client, sandbox, purchase)

    assert "We saved your earlier answers" in again
    shown = shown_form.read(again)
    assert {name: shown[name] for name in asked_questions.FIELDS} == {
        name: answer if isinstance(answer, list) else [answer] for name, answer in asked_questions.FIELDS.items()
    }


def test_answers_sent_without_a_session_come_back(client: FlaskClient, sandbox: Sandbox, purchase: Purchase) -> None:
    page = land(client, sandbox, purchase)
    lose_session(client)

    lost = client.post("/signup", data={**FORM, "csrf_token": csrf_token(page)})

    assert "Your answers are saved in this browser" in lost.text
    assert 'value="Quill &amp; Feather"' in land(client, sandbox, purchase)


@pytest.mark.parametrize("asked", [LONG_QUESTIONS], indirect=True)
def test_longest_answers_are_kept_and_accepted_within_every_limit(
    client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    page = land(client, sandbox, purchase)
    form = {**longest_values.ANSWERS, **LONGEST, "csrf_token": csrf_token(page)}

    refused = client.post("/signup", data={**form, "email": longest_values.text(254)})
    again = land(client, sandbox, purchase)
    accepted = client.post("/signup", data={**form, "email": "ada@example.com"})

    assert (refused.status_code, accepted.status_code) == (422, 303)
    assert max(head_bytes(refused), head_bytes(accepted)) <= MAX_HEAD_BYTES
    assert [name for name, answer in LONGEST.items() if answer not in again] == []
    [registration] = all_rows(client.application, Registration)
    assert {f"q_{answer['id']}": answer["value"] for answer in registration.answers or []} == LONGEST
    assert all_rows(client.application, StoredDraft) == []


@pytest.mark.parametrize("asked", [LONG_QUESTIONS], indirect=True)
def test_outage_says_that_the_longest_answers_are_not_saved(
    client: FlaskClient, environment: pytest.MonkeyPatch, sandbox: Sandbox, purchase: Purchase
) -> None:
    page = land(client, sandbox, purchase)
    with browser_without_database(environment, client) as browser:
        lose_session(browser)
        lost = browser.post("/signup", data={**FORM, **LONGEST, "csrf_token": csrf_token(page)})

    assert "Your answers, except the longest, are saved in this browser" in lost.text


def test_outage_page_still_has_every_answer_to_send_again(
    client: FlaskClient, environment: pytest.MonkeyPatch, sandbox: Sandbox, purchase: Purchase
) -> None:
    page = land(client, sandbox, purchase)
    with browser_without_database(environment, client) as browser:
        failed = browser.post("/signup", data={**FORM, "csrf_token": csrf_token(page)})

    assert failed.status_code == 503
    for name, answer in asked_questions.FIELDS.items():
        for value in answer if isinstance(answer, list) else [answer]:
            escaped = value.replace("&", "&amp;")
            assert f'<input type="hidden" name="{name}" value="{escaped}">' in failed.text


def test_answers_without_a_purchase_fill_the_form_of_the_next(
    client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    sandbox.marketplace.change_faults(aws_down=True)
    page = land(client, sandbox, purchase)
    assert client.post("/signup", data={**FORM, "csrf_token": csrf_token(page)}).status_code == 303
    sandbox.marketplace.change_faults(aws_down=False, expired=True)
    assert resolve_pending(client.application, seconds=5) is True
    sandbox.marketplace.change_faults(expired=False)

    again = land(client, sandbox, purchase)

    assert 'value="Quill &amp; Feather"' in again
    assert '<option value="JP" selected>' in again


def test_registration_before_the_purchase_keeps_its_answers(
    client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    sandbox.marketplace.change_faults(aws_down=True)
    page = land(client, sandbox, purchase)
    client.post("/signup", data={**FORM, "csrf_token": csrf_token(page)})
    [before] = all_rows(client.application, Registration)
    sandbox.marketplace.change_faults(aws_down=False)

    assert resolve_pending(client.application, seconds=5) is True

    [after] = all_rows(client.application, Registration)
    assert after.subscription_id
    assert after.answers == before.answers


@pytest.mark.parametrize("asked", [[], LONG_QUESTIONS], indirect=True)
def test_form_takes_the_longest_answers_and_no_more(
    client: FlaskClient, sandbox: Sandbox, purchase: Purchase, asked: list[dict[str, Any]]
) -> None:
    limit = headers.MAX_BODY_BYTES + (12 * MAX_CHARACTERS if asked else 0)
    land(client, sandbox, purchase)

    statuses = [client.post("/signup", data={"q_text0": "a" * size}).status_code for size in (limit - 8, limit)]

    assert headers.max_body_bytes("POST", "/signup") == limit
    assert statuses == [422, 413]
    assert client.post("/", data={"a": "a" * headers.MAX_BODY_BYTES}).status_code == 413

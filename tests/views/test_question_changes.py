"""The form of a product whose questions change, or that moves and drops the built-in ones."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from app.models import Registration
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.asked_questions import QUESTIONS
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows
from tests.views.question_forms import land, send, stored


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

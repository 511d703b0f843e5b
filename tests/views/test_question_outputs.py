"""Where the answers to a product's own questions go: hand-offs, the API, mails, commands; and never into a log."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from flask.testing import FlaskClient

from app import create_app
from app.models import OutboxMessage, Registration
from app.services.api import feed
from app.services.delivery import mail_templates
from app.services.delivery.mail_templates import MailContext
from app.services.outbox import payload, payload_part
from app.views.api import openapi
from sandbox.server import Sandbox
from tests.support import asked_questions, factories
from tests.support.asked_questions import FORM, QUESTIONS, SHOWN
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD
from tests.support.mail_examples import NOW, PRODUCT
from tests.support.page_checks import csrf_token
from tests.support.personal_data import dump_tables
from tests.support.stored_rows import all_rows

pytestmark = on_sqlite
SECRET = "zyxsecretzyx"


@pytest.fixture
def client(environment: pytest.MonkeyPatch, open_client: Callable[..., FlaskClient], sandbox: Sandbox) -> FlaskClient:
    """A browser that has registered with an answer to each question."""
    factories.enable_handoffs_and_mail(environment)
    environment.setenv("LOG_LEVEL", "DEBUG")
    client = open_client(handoff_url=factories.UNREACHABLE_URL)
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    send(client)
    return client


def send(client: FlaskClient, **fields: Any) -> int:
    page = client.get("/signup?change=").text
    return client.post("/signup?change=", data={**FORM, **fields, "csrf_token": csrf_token(page)}).status_code


def run(client: FlaskClient, *arguments: str) -> str:
    result = client.application.test_cli_runner().invoke(args=list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def mail(client: FlaskClient, template: str) -> str:
    """Return the text and the HTML of a mail about the registration."""
    [row] = all_rows(client.application, Registration)
    registration = payload.Registration.from_row(row)
    context = MailContext(
        product=PRODUCT, site_url="https://start.acme.example", happened_at=NOW, registration=registration
    )
    composed = mail_templates.compose(template, context)
    return f"{composed.text}\n{composed.html}"


def test_handoff_and_api_have_the_answers_and_fit_the_schema(client: FlaskClient) -> None:
    [registration] = all_rows(client.application, Registration)
    [handoff] = [row for row in all_rows(client.application, OutboxMessage) if row.sequence]
    with client.application.app_context():
        item = feed.find_by_registration(feed.Filters(), registration.id)

    jsonschema.validate(handoff.payload, json.loads(openapi.build_handoff_schema()))
    answers = handoff.payload["data"]["registration"]["answers"]
    assert {answer["id"]: answer["text"] for answer in answers} == SHOWN
    assert answers == registration.answers
    assert item
    assert payload_part.as_json(item)["registration"]["answers"] == answers


def test_changed_answer_is_handed_off_and_an_equal_one_is_not(client: FlaskClient) -> None:
    for seats in ("30", "30"):
        assert send(client, q_seats=seats) == 303

    types = [row.type for row in all_rows(client.application, OutboxMessage) if row.sequence]
    assert types == ["registration.completed", "registration.updated"]


def test_seller_reads_all_answers_and_buyers_what_strangers_cannot_misuse(client: FlaskClient) -> None:
    seller, buyer = mail(client, "seller_registered"), mail(client, "buyer_registered")

    for text in ("Team name", "Slack, Mail", "second line", "https://example.com/a?b=c", "Japan", "12.50"):
        assert text in seller
    for text in ("Team name", "Quill & Feather", "Slack, Mail", "Japan"):
        assert text in buyer
    for text in ("second line", "https://example.com/a", "bills@example.com"):
        assert text not in buyer


def test_export_has_a_column_for_each_question_and_one_for_earlier_ones(
    client: FlaskClient, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    [row] = csv.DictReader(io.StringIO(run(client, "registrations", "export"), newline=""))
    assert (row["answer_plan"], row["answer_tools"], row["answer_seats"]) == ("Large", '["s", "m"]', "12.50")
    assert row["other_answers"] == ""

    asked_questions.configure(environment, tmp_path, QUESTIONS[:1], handoff_url=factories.UNREACHABLE_URL)
    with factories.open_app(create_app()) as app:
        [row] = map(json.loads, run(app.test_client(), "registrations", "export", "--format", "jsonl").splitlines())
    assert row["answer_team"] == "Quill & Feather"
    assert "answer_plan" not in row
    assert {answer["id"]: answer["text"] for answer in row["other_answers"]} == {
        name: text for name, text in SHOWN.items() if name != "team"
    }


def test_commands_show_the_answers_and_find_a_customer_by_them(client: FlaskClient) -> None:
    [registration] = all_rows(client.application, Registration)

    shown = run(client, "registrations", "show", str(registration.id))
    in_json = json.loads(run(client, "registrations", "show", str(registration.id), "--json"))

    assert "Tools" in shown
    assert "Slack, Mail" in shown
    assert in_json["answers"] == registration.answers
    assert "Team name: Quill & Feather" in run(client, "customer", "quill & fea")
    # The questions are not what anybody typed.
    nothing = client.application.test_cli_runner().invoke(args=["customer", "Send me news"])
    assert "Nothing is stored" in nothing.output


def test_erasure_removes_the_answers_everywhere(client: FlaskClient) -> None:
    send(client, q_team=SECRET)
    [registration] = all_rows(client.application, Registration)

    run(client, "registrations", "erase", str(registration.id), "--yes")

    assert SECRET not in str(dump_tables(client.application))


def test_secret_typed_into_any_question_is_in_no_log(
    client: FlaskClient, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    for question in QUESTIONS:
        send(client, **{f"q_{question['id']}": SECRET})
    client.delete_cookie("session", domain="localhost")
    client.post("/signup", data={**FORM, "q_team": SECRET, "csrf_token": "wrong"})
    sandbox.marketplace.change_faults(aws_down=True)
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    send(client, q_team=SECRET)

    output = "".join(capfd.readouterr())
    assert "request.answered" in output
    assert SECRET not in output

"""Any questions and any answers (hypothesis): what is accepted is stored, shown, exported and handed off unchanged."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from app import create_app
from app.config import questions
from app.config.countries import CODES
from app.config.fields import TableFaults
from app.models import OutboxMessage, Registration
from sandbox.server import Sandbox
from tests.support import factories, shown_form
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, PRODUCT_CODE, TOKEN_FIELD
from tests.support.page_checks import check_response
from tests.support.stored_rows import all_rows

WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
TEXT = st.one_of(WORDS, st.text("ab \n\t\r\u200b\u0660<>&\"'=+-@0.,", max_size=40), st.just(""))
OPTIONS = st.lists(WORDS, min_size=1, max_size=8, unique=True)
SIMPLE = st.sampled_from(["text", "long_text", "consent", "email", "url", "number", "country"])
TABLE = st.one_of(
    st.fixed_dictionaries({"type": SIMPLE, "label": WORDS}, optional={"hint": WORDS, "required": st.booleans()}),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["choice", "choices"]), "label": WORDS, "options": OPTIONS},
        optional={"required": st.booleans()},
    ),
)
TYPED = {
    "email": st.one_of(st.emails(), TEXT),
    "url": st.one_of(st.sampled_from(["", "Example.com/a?b", "http://é.example"]), TEXT),
    "number": st.one_of(
        st.decimals(-1000, 1000).map(lambda n: f"{n:f}"[:40]), st.sampled_from(["", "1,5", "+.50"]), TEXT
    ),
    "country": st.one_of(st.sampled_from(sorted(CODES)), TEXT),
    "consent": st.sampled_from(["", "yes"]),
}


@pytest.fixture
def landed_client(environment: pytest.MonkeyPatch, sandbox: Sandbox) -> Iterator[FlaskClient]:
    """A browser that has landed at an application whose product receives hand-offs."""
    factories.enable_handoffs(environment)
    with factories.open_app(create_app()) as app:
        client = app.test_client()
        client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
        yield client


def ask(app: Flask, tables: list[dict[str, Any]]) -> None:
    """Let the product ask these questions from now on, as after a restart with another products file."""
    products = app.extensions["products"]
    products[PRODUCT_CODE] = replace(products[PRODUCT_CODE], questions=questions.read(tables))
    app.extensions.pop("signup_forms", None)


def draw_answer(draw: st.DrawFn, table: dict[str, Any]) -> list[str]:
    if "options" in table:
        offered = st.sampled_from(table["options"])
        choices = draw(st.sampled_from([offered, offered, offered, TEXT]))
        return draw(st.lists(choices, min_size=1, max_size=1 if table["type"] == "choice" else 8))
    return [draw(TYPED.get(table["type"], TEXT))]


@st.composite
def forms(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """Draw the tables of questions, and what a browser sends for them."""
    tables = [{"id": f"q{number}", **table} for number, table in enumerate(draw(st.lists(TABLE, max_size=5)))]
    return tables, {f"q_{table['id']}": draw_answer(draw, table) for table in tables}


def exported(app: Flask, file_format: str) -> str:
    arguments = ["registrations", "export", "--format", file_format]
    return app.test_cli_runner().invoke(args=arguments).stdout_bytes.decode()


@on_sqlite
@settings(suppress_health_check=list(HealthCheck))
@given(form=forms())
def test_any_accepted_answers_are_stored_shown_exported_and_handed_off(
    landed_client: FlaskClient, form: tuple[list[dict[str, Any]], dict[str, list[str]]]
) -> None:
    app = landed_client.application
    tables, fields = form
    try:
        ask(app, tables)
    except TableFaults:
        assume(False)
    page = landed_client.get("/signup?change=").text
    sent = {**shown_form.read(page), **ANSWERS, **fields}

    response = landed_client.post("/signup?change=", data=sent)

    check_response(response)
    assert response.status_code in {303, 422}
    if response.status_code == 422:
        return
    [registration] = all_rows(app, Registration)
    answers = registration.answers
    again = landed_client.get("/signup?change=")
    check_response(again)
    assert landed_client.post("/signup?change=", data=shown_form.read(again.text)).status_code == 303
    assert all_rows(app, Registration)[0].answers == answers
    assert landed_client.get("/welcome").status_code == 200
    handed_off = [row for row in all_rows(app, OutboxMessage) if row.sequence]
    latest = max(handed_off, key=lambda row: row.sequence or 0)
    assert latest.payload["data"]["registration"]["answers"] == answers
    [row] = map(json.loads, exported(app, "jsonl").splitlines())
    asked = {f"answer_{table['id']}": None for table in tables}
    assert {name: row[name] for name in asked} == asked | {
        f"answer_{answer['id']}": answer["value"] for answer in answers or [] if f"answer_{answer['id']}" in asked
    }
    [cells] = csv.DictReader(io.StringIO(exported(app, "csv"), newline=""))
    assert set(asked) <= set(cells)
    for answer in answers or []:
        if isinstance(answer["value"], str) and f"answer_{answer['id']}" in cells:
            assert cells[f"answer_{answer['id']}"].removeprefix("'") == answer["value"].removeprefix("'")

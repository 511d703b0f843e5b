"""The form of a product with questions of its own, checked by axe (WCAG 2.2 AA) and for its width on a phone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, Route

from app import create_app
from sandbox.server import Sandbox
from tests.e2e.test_pages import PHONE, check_both_color_schemes, fulfill_from_app
from tests.support import asked_questions, factories
from tests.support.asked_questions import FORM, QUESTIONS
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD
from tests.support.page_checks import csrf_token

LONG = "Datenschutzgrundverordnungskonformitätsbescheinigung " * 3
LONG_QUESTIONS: list[dict[str, Any]] = [
    {
        "id": "long",
        "type": "choices",
        "label": LONG,
        "hint": LONG,
        "options": [f"{LONG[:99]}{place}" for place in "ab"],
    },
    {"id": "list", "type": "choice", "label": LONG, "options": [f"{LONG[:99]}{place}" for place in range(9)]},
]


@pytest.fixture
def asking_client(environment: pytest.MonkeyPatch, sandbox: Sandbox, tmp_path: Path) -> Iterator[FlaskClient]:
    """A browser that has landed at an application with a question of each type, and long ones."""
    asked_questions.configure(environment, tmp_path, [*QUESTIONS, *LONG_QUESTIONS])
    with factories.open_app(create_app()) as app:
        client = app.test_client()
        client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
        yield client


@on_sqlite
def test_questions_and_answers_are_accessible_and_fit_a_phone(axe_page: Page, asking_client: FlaskClient) -> None:
    pages: list[str] = []

    def show_last(route: Route) -> None:
        if pages and route.request.resource_type == "document":
            route.fulfill(content_type="text/html", body=pages[-1])
        else:
            fulfill_from_app(route, asking_client)

    axe_page.set_viewport_size(PHONE)
    axe_page.route("**/*", show_last)
    axe_page.goto("http://localhost/signup")
    check_both_color_schemes(axe_page)
    form = {"csrf_token": csrf_token(asking_client.get("/signup").text)}

    pages.append(asking_client.post("/signup", data={**form, "email": "wrong", "q_tools": ["s", "t", "m"]}).text)
    axe_page.goto("http://localhost/signup")
    check_both_color_schemes(axe_page)
    axe_page.get_by_role("link", name="Choose an answer to “Plan”.").click()
    assert axe_page.locator("fieldset#q_plan").evaluate("field => field === document.activeElement")

    asking_client.post("/signup", data={**FORM, **form})
    pages.append(asking_client.get("/welcome").text)
    axe_page.goto("http://localhost/welcome")
    check_both_color_schemes(axe_page)

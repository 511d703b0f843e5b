"""What a registration costs the database: how many statements and transactions each page takes, exactly.

A number that grows here is CPU time of every buyer, and round trips to PostgreSQL. See docs/performance.md.
"""

import pytest
from flask.testing import FlaskClient

from app import create_app
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.database_cost import counted
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import csrf_token

# Of landing, form, submit and welcome page: statements and transactions.
WITH_HANDOFF_AND_MAIL = {"POST /": (1, 1), "GET /signup": (2, 1), "POST /signup": (8, 2), "GET /welcome": (3, 1)}
WITHOUT = {"POST /": (1, 1), "GET /signup": (1, 1), "POST /signup": (6, 2), "GET /welcome": (2, 1)}


def register(client: FlaskClient, token: str) -> dict[str, tuple[int, int]]:
    """Walk through the pages as a buyer's browser does; return what each has cost."""
    costs = {}

    def open_page(method: str, path: str, **form: str) -> str:
        with counted(client.application) as cost:
            response = client.open(path, method=method, data=form or None)
        assert response.status_code == (303 if method == "POST" else 200)
        costs[f"{method} {path}"] = (cost.statements, cost.transactions)
        return response.text

    open_page("POST", "/", **{TOKEN_FIELD: token})
    form = open_page("GET", "/signup")
    open_page("POST", "/signup", **ANSWERS, csrf_token=csrf_token(form))
    open_page("GET", "/welcome")
    return costs


@pytest.mark.parametrize("is_announced", [True, False], ids=["hand-off and mail", "neither"])
def test_registration_takes_exactly_these_statements(
    environment: pytest.MonkeyPatch, sandbox: Sandbox, *, is_announced: bool
) -> None:
    if is_announced:
        factories.enable_handoffs_and_mail(environment)
    with factories.open_app(create_app()) as app:
        # The second one finds every connection open.
        register(app.test_client(), factories.token(sandbox))
        costs = register(app.test_client(), factories.token(sandbox))

    assert costs == (WITH_HANDOFF_AND_MAIL if is_announced else WITHOUT)

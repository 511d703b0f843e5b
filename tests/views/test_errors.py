"""The error pages: what the buyer sees and the log says, with a real HTTP server and the sandbox's AWS."""

import logging
import threading
from collections.abc import Iterator

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from app import errors
from app.models import Subscription
from app.views.errors import ERROR_PAGES
from sandbox.faults import Faults
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD
from tests.support.page_checks import check_page
from tests.support.stored_rows import all_rows

# The fault at AWS -> status, words of its page alone, what the buyer can do, whether the page offers a retry.
ROWS = {
    "expired": (400, "This link has expired", "Set up your account", False),
    "invalid": (400, "This link no longer works", "Set up your account", False),
    "api_disabled": (500, "in the AWS Region that we ask", "email us", True),
    "access_denied": (500, "does not let us", "email us", True),
    "credentials_expired": (500, "does not accept the credentials", "email us", True),
    "credentials_unknown": (500, "does not accept the credentials", "email us", True),
    "no_customer": (502, "left out details", "email us", True),
    "other_product": (404, "We do not set up this product here", "email us", False),
}
NAMES = {
    "expired": "ExpiredToken",
    "invalid": "InvalidToken",
    "api_disabled": "ApiDisabled",
    "access_denied": "PermissionDenied",
    "credentials_expired": "CredentialsRefused",
    "credentials_unknown": "CredentialsRefused",
    "no_customer": "IncompleteAnswer",
    "other_product": "UnknownProduct",
}


@pytest.fixture
def app_url(app: Flask) -> Iterator[str]:
    """The application behind a real HTTP server."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("fault", ROWS)
def test_aws_error_shows_its_page(
    app_url: str, sandbox: Sandbox, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    status, words, next_step, offers_retry = ROWS[fault]
    token = factories.token(sandbox)
    sandbox.marketplace.change_faults(**{fault: True})

    response = requests.post(app_url, data={TOKEN_FIELD: token}, timeout=10)

    assert response.status_code == status
    check_page(response.text)
    assert words in response.text
    assert next_step.lower() in response.text.lower()
    assert ("Try again</button>" in response.text) is offers_retry
    assert (TOKEN_FIELD in response.text) is offers_retry
    assert "Exception" not in response.text
    assert not response.cookies
    log = capsys.readouterr().err
    assert f'"fault": "{NAMES[fault]}"' in log
    assert token not in log


@on_sqlite
def test_slow_aws_reaches_form_in_time(app_url: str, sandbox: Sandbox) -> None:
    token = factories.token(sandbox)
    sandbox.marketplace.change_faults(slow=60)

    response = requests.post(app_url, data={TOKEN_FIELD: token}, timeout=8, allow_redirects=False)

    sandbox.marketplace.change_faults(slow=0)
    assert (response.status_code, response.headers["Location"]) == (303, "/signup")


@pytest.mark.parametrize("fields", [{}, {TOKEN_FIELD: ""}, {TOKEN_FIELD: "  "}, {"token": "elsewhere"}])
def test_post_without_token_shows_where_to_start(app_url: str, fields: dict[str, str]) -> None:
    response = requests.post(app_url, data=fields, timeout=10)

    assert response.status_code == 400
    check_page(response.text)
    assert "Please start from AWS Marketplace" in response.text


def test_retry_resends_the_same_token(client: FlaskClient, sandbox: Sandbox) -> None:
    token = factories.token(sandbox)
    sandbox.marketplace.change_faults(access_denied=True)
    page = client.post("/", data={TOKEN_FIELD: token, "x-amzn-marketplace-offer-type": "free-trial"})
    assert f'value="{token}"' in page.text
    assert 'value="free-trial"' in page.text
    sandbox.marketplace.faults = Faults()

    again = client.post("/", data={TOKEN_FIELD: token, "x-amzn-marketplace-offer-type": "free-trial"})

    assert again.location == "/signup"


def test_every_exception_has_an_error_page() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.FoyerError)}

    assert set(ERROR_PAGES) == kinds - {errors.FoyerError, errors.MarketplaceError}


def test_error_pages_are_distinct() -> None:
    pages = [error_page.page for error_page in ERROR_PAGES.values()]

    assert len(pages) == len(set(pages))


def test_error_page_has_contact_and_reference(client: FlaskClient) -> None:
    page = client.get("/signup")

    assert page.status_code == 403
    assert "help@acme.example" in page.text
    assert f"Reference <code>{page.headers['X-Request-Id']}</code>" in page.text


def test_unexpected_error_hides_traceback_and_logs_it(
    app: Flask, client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    app.testing = False
    app.view_functions["landing.show"] = lambda: str(1 / 0)

    page = client.get("/")

    assert page.status_code == 500
    assert "ZeroDivisionError" not in page.text
    log = capsys.readouterr().err
    assert '"error": "ZeroDivisionError"' in log
    assert "test_errors.py" in log


def test_log_of_an_error_names_the_purchase_of_the_browser(
    app: Flask, client: FlaskClient, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    (subscription,) = all_rows(app, Subscription)
    app.testing = False
    app.view_functions["welcome.welcome"] = lambda: str(1 / 0)
    capsys.readouterr()

    reference = client.get("/welcome").headers["X-Request-Id"]

    failed = next(line for line in capsys.readouterr().err.splitlines() if "request.failed" in line)
    assert f'"request": "{reference}"' in failed
    assert f'"subscription": "{subscription.id}"' in failed


def test_unknown_path_and_method_have_pages(client: FlaskClient) -> None:
    missing = client.get("/admin")
    wrong = client.delete("/signup")

    assert missing.status_code == 404
    assert wrong.status_code == 405
    assert "POST" in wrong.headers["Allow"]


def test_oversized_body_is_refused(client: FlaskClient) -> None:
    response = client.post("/", data={TOKEN_FIELD: "x" * 100_000})

    assert response.status_code == 413
    assert "too much" in response.text


def test_retry_form_repeats_known_fields_only(client: FlaskClient, sandbox: Sandbox) -> None:
    sandbox.marketplace.faults = Faults(access_denied=True)
    fields = {f"{name}{number}": "x" for name in ("field", "x-amzn-marketplace-") for number in range(500)}

    page = client.post("/", data={TOKEN_FIELD: "made\x00up", "x-amzn-marketplace-product-id": "prod-1", **fields})

    assert 'value="madeup"' in page.text
    assert 'value="prod-1"' in page.text
    assert "field1" not in page.text
    assert page.text.count('type="hidden"') == 20


def test_incompatible_session_counts_as_no_purchase(client: FlaskClient) -> None:
    with client.session_transaction() as session:
        session["SubscriptionId"] = "not-a-uuid"

    page = client.get("/signup")

    assert page.status_code == 403
    assert "We cannot tell which purchase is yours" in page.text


def test_browser_without_cookies_gets_explanation(app: Flask, sandbox: Sandbox) -> None:
    client = app.test_client(use_cookies=False)
    landed = client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})

    page = client.get(landed.location)

    assert page.status_code == 403
    assert "does not keep cookies for this site" in page.text

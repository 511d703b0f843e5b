"""The API's errors are problem details that say what to do next, never HTML pages."""

from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.views.api.conftest import API_PREFIX, ApiClient

pytestmark = on_sqlite

CURSOR = "A" * 66
INVALID_QUERIES: list[tuple[dict[str, Any], list[str]]] = [
    ({"limit": "0"}, ["limit"]),
    ({"limit": "201"}, ["limit"]),
    ({"limit": "-1"}, ["limit"]),
    ({"limit": ""}, ["limit"]),
    ({"limit": "5.0"}, ["limit"]),
    ({"limit": "1_0"}, ["limit"]),
    ({"limit": "٣"}, ["limit"]),
    ({"limit": "9" * 5000}, ["limit"]),
    ({"limit": ["1", "2"]}, ["limit"]),
    ({"status": "paid"}, ["status"]),
    ({"status": ""}, ["status"]),
    ({"status": ["active", "ended"]}, ["status"]),
    ({"product_code": ""}, ["product_code"]),
    ({"product_code": "\x00"}, ["product_code"]),
    ({"customer_aws_account_id": "1234-5678-9012"}, ["customer_aws_account_id"]),
    ({"customer_aws_account_id": "123456789012\n"}, ["customer_aws_account_id"]),
    ({"cursor": ""}, ["cursor"]),
    ({"cursor": CURSOR}, ["cursor"]),
    ({"cursor": "first"}, ["cursor"]),
    ({"cursor": "\x00" * 66}, ["cursor"]),
    ({"page": "2"}, ["page"]),
    ({"": "1"}, [""]),
    ({"page": "2", "limit": "many", "status": "active"}, ["limit", "page"]),
]
UNKNOWN_PATHS = ["", "/", "/nothing", "/subscriptions/", "//subscriptions", "/subscriptions//x", "/x.html"]


def check_problem(response: TestResponse, status: int) -> dict[str, object]:
    """Assert that the response is problem details with the status; return them."""
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    problem: dict[str, object] = response.get_json()
    assert problem["type"] == "about:blank"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["reference"] == response.headers["X-Request-Id"]
    assert "Refresh" not in response.headers
    return problem


def test_each_invalid_parameter_is_named(api_client: ApiClient) -> None:
    for query, parameters in INVALID_QUERIES:
        errors = check_problem(api_client.get("/subscriptions", **query), 400)["errors"]

        assert isinstance(errors, list)
        assert [error["parameter"] for error in errors] == parameters
        assert all(error["detail"] for error in errors)


def test_unknown_parameter_is_refused_on_every_path(api_client: ApiClient) -> None:
    for path in ("/openapi.json", "/schemas/handoff.json", "/registrations", f"/subscriptions/{UUID(int=0)}"):
        assert check_problem(api_client.get(path, status="active"), 400)["errors"]


def test_unknown_path_is_a_problem_with_status_404(api_client: ApiClient) -> None:
    for path in UNKNOWN_PATHS:
        assert "openapi.json" in str(check_problem(api_client.get(path), 404)["detail"])


def test_writing_methods_are_refused(api_client: ApiClient) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE"):
        response = api_client.get("/subscriptions", method=method)

        check_problem(response, 405)
        assert response.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_head_has_the_status_and_headers_of_get(api_client: ApiClient) -> None:
    for path, status in (("/subscriptions", 200), ("/openapi.json", 200), ("/nothing", 404)):
        head, get = api_client.get(path, method="HEAD"), api_client.get(path)

        assert head.status_code == get.status_code == status
        assert head.data == b""
        for name in ("Content-Type", "Content-Length"):
            assert head.headers[name] == get.headers[name]


def test_request_body_that_is_too_large_is_refused(client: FlaskClient) -> None:
    response = client.get(
        f"{API_PREFIX}/openapi.json",
        data=b"x" * 100_000,
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )

    check_problem(response, 413)


def test_untrusted_host_is_refused(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TRUSTED_HOSTS", "start.acme.example")

    with factories.open_app(create_app()) as app:
        check_problem(app.test_client().get(f"{API_PREFIX}/openapi.json"), 400)


def test_internal_error_shows_no_traceback(app: Flask, api_client: ApiClient) -> None:
    app.testing = False
    app.view_functions["api.subscriptions"] = lambda: str(1 / 0)

    response = api_client.get("/subscriptions")

    check_problem(response, 500)
    assert "ZeroDivisionError" not in response.text


def test_not_found_outside_the_api_is_an_html_page(client: FlaskClient) -> None:
    assert client.get("/api/v10").mimetype == client.get("/api").mimetype == "text/html"

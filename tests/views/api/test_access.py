"""Access to the API: tokens, cookies, and what is logged."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.services.api import tokens
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD
from tests.views.api.conftest import API_PREFIX, ApiClient, CreateApiClient, CreateRegistration, CreateSubscription

pytestmark = on_sqlite

PROTECTED = ["/subscriptions", "/registrations", "/subscriptions/01a207c8-85e3-70e1-8187-c3ad0186f92b"]
INVALID_HEADERS = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer foyer_",
    f"Bearer foyer_{'x' * 43}",
    f"Bearer foyer_{'é' * 43}",
    "Basic Zm95ZXI6Zm95ZXI=",
    "Bearer a=b, c=d",
    "Digest TOKEN",
    "TOKEN",
    "Bearer TOKENx",
    "Bearer TOKEN, Bearer TOKEN",
]
PUBLIC = ["/openapi.json", "/schemas/handoff.json"]


def test_request_without_a_token_is_refused(client: FlaskClient) -> None:
    for path in PROTECTED:
        response = client.get(f"{API_PREFIX}{path}")

        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer realm=Foyer"
        assert response.mimetype == "application/problem+json"
        assert "api-tokens create" in response.get_json()["detail"]


def test_invalid_authorization_header_is_refused(client: FlaskClient, api_client: ApiClient) -> None:
    for header in INVALID_HEADERS:
        authorization = header.replace("TOKEN", api_client.token).encode().decode("latin-1")

        response = client.get(f"{API_PREFIX}/subscriptions", headers={"Authorization": authorization})

        assert response.status_code == 401, header
        assert response.headers["WWW-Authenticate"].startswith("Bearer realm=Foyer, error=invalid_token, ")
        assert api_client.token not in response.text


def test_bearer_scheme_is_case_insensitive(client: FlaskClient, api_client: ApiClient) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        response = client.get(f"{API_PREFIX}/subscriptions", headers={"Authorization": f"{scheme} {api_client.token}"})

        assert response.status_code == 200


def test_revoked_token_is_refused_at_once(app: Flask, api_client: ApiClient) -> None:
    assert api_client.get("/subscriptions").status_code == 200
    with app.app_context():
        tokens.revoke(api_client.token_id, "operator:alice")

    response = api_client.get("/subscriptions")

    assert response.status_code == 401
    assert "invalid_token" in response.headers["WWW-Authenticate"]


def test_token_without_the_scope_is_refused_by_name(create_api_client: CreateApiClient) -> None:
    sender = create_api_client(None, "usage:write")

    response = sender.get("/subscriptions")

    assert response.status_code == 403
    assert response.mimetype == "application/problem+json"
    assert "foyer api-tokens create NAME --scope read" in response.get_json()["detail"]
    assert "error=insufficient_scope, scope=read" in response.headers["WWW-Authenticate"]


def test_descriptions_need_no_token(client: FlaskClient) -> None:
    for path in PUBLIC:
        response = client.get(f"{API_PREFIX}{path}")

        assert response.status_code == 200
        assert response.get_json()


def test_token_in_the_query_string_is_refused(client: FlaskClient, api_client: ApiClient) -> None:
    assert client.get(f"{API_PREFIX}/subscriptions", query_string={"access_token": api_client.token}).status_code == 401


def test_api_sets_no_cookie_even_for_a_browser_with_a_session(
    client: FlaskClient, api_client: ApiClient, sandbox: Sandbox
) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    assert client.get_cookie("session")

    for path in (*PROTECTED, *PUBLIC, "/nothing"):
        response = api_client.get(path)

        assert "Set-Cookie" not in response.headers
        assert "Cookie" not in response.headers.get("Vary", "")
        assert response.headers["Cache-Control"] == "no-store"


def test_token_and_personal_data_are_in_no_log_at_any_level(
    environment: pytest.MonkeyPatch,
    create_subscription: CreateSubscription,
    create_registration: CreateRegistration,
    api_client: ApiClient,
    capfd: pytest.CaptureFixture[str],
) -> None:
    environment.setenv("LOG_LEVEL", "DEBUG")
    create_subscription()
    create_registration()

    with factories.open_app(create_app()) as app:
        reader = ApiClient(app.test_client(), api_client.token_id, api_client.token)
        reader.get("/subscriptions", customer_aws_account_id="012345678901")
        reader.get("/subscriptions", access_token=api_client.token)
        with app.app_context():
            tokens.revoke(api_client.token_id, "operator:alice")
        reader.get("/subscriptions")

    log = "".join(capfd.readouterr())
    assert f'"api_token": "{api_client.token_id}"' in log
    assert "/api/v1/subscriptions" in log
    for secret in (
        api_client.token.removeprefix(tokens.PREFIX)[:12],
        "ada@gmail.com",
        "Lovelace",
        "Juniper",
        "012345678901",
    ):
        assert secret not in log
    assert len(re.findall('"status": (200|400|401)', log)) == 3

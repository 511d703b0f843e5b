"""LANDING_PATHS: buyers land there as at `/`, with the same limits, headers, log line and metrics."""

import json
import re
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.config.settings import SettingsError
from app.models import Subscription
from app.security.headers import MAX_BODY_BYTES, SECURITY_HEADERS
from app.views.rate_limits import REFUSALS
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD
from tests.support.local_server import serve_app
from tests.support.page_checks import CheckedClient, csrf_token
from tests.support.scripted_aws import ScriptedAws
from tests.support.stored_rows import all_rows
from tests.support.token_floods import INVALID_TOKEN

SAMPLE_PATH, OWN_PATH = "/redirectmarketplacetoken", "/marketplace/start"
# The second is listed with a slash at its end.
PATHS = ["/", SAMPLE_PATH, f"{SAMPLE_PATH}/", OWN_PATH, f"{OWN_PATH}/"]
OWN_PAGES = [
    *("/", "/signup", "/signup/", "/welcome/x", "/api", "/api/v1/usage", "/api/start", "/static", "/static/a.css"),
    *("/healthz", "/readyz", "/metrics", "/robots.txt", "/enter", "/progress/start", "/invite", "/resume"),
]
ODD_PATHS = [
    *("start", "https://start.acme.example/start", "/start?a=b", "/start#a", "//start", "/a//b", "/a/../b", "/./a"),
    *("/<token>", "/%2e", "/.well-known/start", "/a b", "/st\u00e4rt", "/start;a", "\\start"),
]

pytestmark = on_sqlite


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment of a seller who comes from AWS's sample."""
    environment.setenv("LANDING_PATHS", f"{SAMPLE_PATH}, {OWN_PATH}/")
    return environment


@pytest.fixture
def refused_everywhere(environment: pytest.MonkeyPatch) -> Iterator[tuple[Flask, ScriptedAws]]:
    """The application, and its AWS, which refuses every token."""
    with ScriptedAws([INVALID_TOKEN]) as aws:
        environment.setenv("AWS_ENDPOINT_URL", aws.url)
        with factories.open_app(create_app()) as app:
            yield app, aws


@pytest.mark.parametrize("path", PATHS)
def test_buyer_registers_from_each_landing_path(client: FlaskClient, sandbox: Sandbox, path: str) -> None:
    landed = client.post(path, data={TOKEN_FIELD: factories.token(sandbox)}, headers={"Origin": "null"})
    form = {"csrf_token": csrf_token(client.get("/signup").text), **factories.ANSWERS}

    assert (landed.status_code, landed.location) == (303, "/signup")
    assert "Path=/" in re.split("; *", landed.headers["Set-Cookie"])
    assert landed.headers["Cache-Control"] == "no-store"
    assert {name: landed.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert client.post("/signup", data=form).location == "/welcome"


@pytest.mark.parametrize("path", PATHS)
def test_each_landing_path_answers_awss_check(client: FlaskClient, path: str) -> None:
    page, head = client.get(path), client.head(path)

    assert (page.status_code, head.status_code, head.data) == (200, 200, b"")
    # The switch of languages leads back to where the buyer is.
    assert page.text.replace(f"next={path}", "next=/") == client.get("/").text


@pytest.mark.parametrize("path", PATHS)
def test_other_methods_and_large_bodies_are_refused_as_at_the_root(client: FlaskClient, path: str) -> None:
    refused = client.put(path)

    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    assert client.post(path, data={TOKEN_FIELD: "x" * MAX_BODY_BYTES}).status_code == 413


@pytest.mark.parametrize("content_type", ["multipart/form-data", "application/x-www-form-urlencoded"])
def test_every_form_of_body_is_read(client: FlaskClient, sandbox: Sandbox, content_type: str) -> None:
    response = client.post(SAMPLE_PATH, data={TOKEN_FIELD: factories.token(sandbox)}, content_type=content_type)

    assert response.location == "/signup"


def test_landing_at_another_path_clears_the_session(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    client.post(SAMPLE_PATH, data={TOKEN_FIELD: "made up"})

    with client.session_transaction() as session:
        assert dict(session) == {}
    assert len(all_rows(app, Subscription)) == 1


def test_buyer_can_try_again_at_the_same_path(client: FlaskClient, sandbox: Sandbox) -> None:
    sandbox.marketplace.change_faults(access_denied=True)

    page = client.post(SAMPLE_PATH, data={TOKEN_FIELD: factories.token(sandbox)})

    assert page.status_code == 500
    assert f'action="{SAMPLE_PATH}"' in page.text


def test_flood_over_all_landing_paths_makes_thirty_aws_calls(refused_everywhere: tuple[Flask, ScriptedAws]) -> None:
    app, aws = refused_everywhere

    statuses = [app.test_client().post(PATHS[i % 5], data={TOKEN_FIELD: f"made up {i}"}).status_code for i in range(50)]

    assert statuses == [400] * REFUSALS.max_count + [429] * 20
    assert aws.request_count == REFUSALS.max_count


def test_landing_is_logged_and_counted_without_the_token(
    app: Flask, client: FlaskClient, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    def resolved() -> float:
        text = client.get("/metrics").text
        return float(re.findall(r'^foyer_landings_total\{outcome="resolved"\} (.*)$', text, re.MULTILINE)[0])

    def counted_routes() -> set[str]:
        return set(re.findall('route="([^"]*)"', client.get("/metrics").text))

    # Other applications of this process may have counted routes of theirs.
    before, token, routes_before = resolved(), factories.token(sandbox), counted_routes()
    client.post(f"{SAMPLE_PATH}/", data={TOKEN_FIELD: token})
    client.get(f"{SAMPLE_PATH}?{TOKEN_FIELD}=a-token-in-a-url")
    client.post(f"{SAMPLE_PATH}/other", data={TOKEN_FIELD: token})

    logged = "".join(capfd.readouterr())
    lines = [json.loads(line) for line in logged.splitlines() if '"event": "request.answered"' in line]
    routes = {line["route"] for line in lines if line["level"] == "info"}
    assert resolved() == before + 1
    assert routes == {SAMPLE_PATH, "unmatched"}
    assert token[:20] not in logged
    assert "a-token-in-a-url" not in logged
    assert counted_routes() - routes_before <= {*(rule.rule for rule in app.url_map.iter_rules()), "unmatched"}


def test_api_description_does_not_change_with_landing_paths(client: FlaskClient) -> None:
    description = client.get("/api/v1/openapi.json").text

    assert '"/usage"' in description
    assert SAMPLE_PATH not in description


@pytest.mark.parametrize("path", OWN_PAGES)
def test_path_of_foyers_own_pages_is_refused_and_named(environment: pytest.MonkeyPatch, path: str) -> None:
    environment.setenv("LANDING_PATHS", f"/start,{path}")

    with pytest.raises(SettingsError) as refused:
        create_app()

    assert f"  LANDING_PATHS: it has {path}, but /{path.split('/')[1]} is Foyer's own." in str(refused.value)


@pytest.mark.parametrize("path", ODD_PATHS)
def test_anything_but_a_plain_path_is_refused(environment: pytest.MonkeyPatch, path: str) -> None:
    environment.setenv("LANDING_PATHS", f"/start,{path}")

    with pytest.raises(SettingsError) as refused:
        create_app()

    assert f"  LANDING_PATHS: it must look like {SAMPLE_PATH}." in str(refused.value)


def test_path_may_be_listed_twice(environment: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    environment.setenv("LANDING_PATHS", "/start,/start/,/start")

    with factories.open_app(create_app()) as app:
        app.test_client_class = CheckedClient
        assert app.test_client().post("/start", data={TOKEN_FIELD: factories.token(sandbox)}).status_code == 303


def test_storefront_posts_to_a_landing_path(environment: pytest.MonkeyPatch, app: Flask, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(factories.order())
    with serve_app(app) as url, requests.Session() as browser:
        environment.setattr(sandbox, "app_url", urljoin(url, SAMPLE_PATH))
        shown = browser.get(urljoin(sandbox.storefront_url, f"/purchases/{purchase.id}"), timeout=20).text
        [action] = re.findall(r'class="set-up" method="post" action="([^"]+)"', shown)
        [token] = re.findall(f'name="{TOKEN_FIELD}" value="([^"]+)"', shown)
        form = browser.post(action, data={TOKEN_FIELD: token}, timeout=20)

    assert action == urljoin(url, SAMPLE_PATH)
    assert form.url == urljoin(url, "/signup")
    assert "Acme Insights" in form.text

"""Logs: one line per request, without tokens and personal data."""

import json
import logging

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.observability import logs
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import csrf_token


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]


def test_request_logs_one_line_with_id_route_outcome_and_duration(
    client: FlaskClient, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    response = client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})

    [line] = [line for line in log_lines(capsys) if line["event"] == "request.answered"]
    assert line["request"] == response.headers["X-Request-Id"]
    assert (line["method"], line["route"], line["status"], line["outcome"]) == ("POST", "/", 303, "resolved")
    assert isinstance(line["milliseconds"], float)


def test_token_and_personal_data_are_logged_at_no_level(
    environment: pytest.MonkeyPatch, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("LOG_LEVEL", "DEBUG")
    token = factories.token(sandbox)

    with factories.open_app(create_app()) as app:
        browser = app.test_client()
        browser.post("/", data={TOKEN_FIELD: token})
        form = {**ANSWERS, "csrf_token": csrf_token(browser.get("/signup").text)}
        browser.post("/signup", data={**form, "email": "marked-wrong"})
        browser.post("/signup", data=form)
        browser.get(f"/welcome?{TOKEN_FIELD}={token}")
        sandbox.marketplace.change_faults(access_denied=True)
        browser.post("/", data={TOKEN_FIELD: token})

    output = "".join(capfd.readouterr())
    assert "request.answered" in output
    assert "registration.completed" in output
    for secret in (token, token[:20], "ada@gmail.com", "Lovelace", "Juniper", "010-0199", "after ten", "marked-wrong"):
        assert secret not in output


def test_console_format_is_readable(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    environment.setenv("LOG_FORMAT", "console")

    with factories.open_app(create_app()) as app:
        app.test_client().get("/")

    assert "request.answered" in capsys.readouterr().err


def test_libraries_log_in_the_same_format(capsys: pytest.CaptureFixture[str], app: Flask) -> None:
    logging.getLogger("some.library").warning("it rains")

    [line] = log_lines(capsys)
    assert (line["event"], line["level"]) == ("it rains", "warning")


def test_every_quiet_endpoint_exists(client: FlaskClient) -> None:
    assert set(client.application.view_functions) >= logs.QUIET_ENDPOINTS

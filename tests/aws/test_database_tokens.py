"""Tokens for Amazon RDS: as botocore's documented function makes them, with this machine's own credentials."""

import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.session
import pytest
import time_machine

from app.aws import clients, database_tokens
from app.aws.database_tokens import TokenMaker
from app.config.database_login import IamLogin
from app.errors import DatabaseUnavailable
from tests.support import factories

ROOT = Path(__file__).parents[2]
HOST = "foyer.c0ffee123456.eu-central-1.rds.amazonaws.com"
LOGIN = IamLogin(HOST, 5433, "foyer@acme+1", "eu-central-1")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
# Prints the files of botocore's data that making a token opens.
TOKEN = """
import sys
from app.aws.database_tokens import TokenMaker
from app.config.database_login import IamLogin
sys.addaudithook(lambda event, args: event == "open" and "botocore/data" in str(args[0]) and print(args[0]))
TokenMaker(IamLogin("db.example", 5432, "foyer", "eu-central-1")).new_token()
print("made")
"""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with credentials in its environment."""
    factories.clear_environment(monkeypatch)
    for name, value in factories.environment("", "http://127.0.0.1:9").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "nowhere")
    return monkeypatch


@pytest.mark.parametrize("session_token", [None, "a/long+session=token" * 50])
def test_token_is_what_botocores_own_function_makes(machine: pytest.MonkeyPatch, session_token: str | None) -> None:
    if session_token:
        machine.setenv("AWS_SESSION_TOKEN", session_token)

    with time_machine.travel(NOON, tick=False):
        token = TokenMaker(LOGIN).new_token()
        rds: Any = botocore.session.Session().create_client("rds", LOGIN.region)
        expected = rds.generate_db_auth_token(HOST, 5433, LOGIN.user)

    assert token == expected


def test_each_token_is_new_and_valid_for_15_minutes(machine: pytest.MonkeyPatch) -> None:
    maker = TokenMaker(LOGIN)
    tokens = []
    for minute in (0, 11):
        with time_machine.travel(NOON.replace(minute=minute), tick=False):
            tokens.append(parse_qs(urlsplit(f"https://{maker.new_token()}").query))

    assert [token["X-Amz-Date"] for token in tokens] == [["20261123T120000Z"], ["20261123T121100Z"]]
    assert {token["X-Amz-Expires"][0] for token in tokens} == {"900"}
    assert tokens[0]["X-Amz-Credential"] == ["testing/20261123/eu-central-1/rds-db/aws4_request"]


def test_token_needs_no_service_model_and_no_endpoints(machine: pytest.MonkeyPatch) -> None:
    opened = subprocess.run(
        [sys.executable, "-c", TOKEN], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()

    assert opened[-1] == "made"
    assert [name for name in opened if "service-2" in name or "/rds/" in name] == []


def test_token_is_of_the_machines_own_role(machine: pytest.MonkeyPatch) -> None:
    settings = factories.settings(
        database_url=f"postgresql://foyer@{HOST}/foyer?sslmode=require",
        database_iam_auth="true",
        marketplace_role_arn="arn:aws:iam::123456789012:role/publisher",
    )

    make = database_tokens.maker(settings)

    # To assume the role would be a call, which nobody answers here.
    assert make is not None
    assert "X-Amz-Credential=testing%2F" in make()


def test_machine_without_credentials_has_no_token(machine: pytest.MonkeyPatch) -> None:
    machine.delenv("AWS_ACCESS_KEY_ID")
    maker = TokenMaker(LOGIN)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match=r"^NoCredentials NoCredentialsError$"):
            maker.new_token()


def test_credentials_are_found_again_however_often_they_are_asked_for(machine: pytest.MonkeyPatch) -> None:
    maker = TokenMaker(LOGIN)
    machine.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(DatabaseUnavailable):
        maker.new_token()
    machine.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")

    deadline = time.monotonic() + 3 * clients.CREDENTIALS_RETRY_SECONDS
    token = ""
    while not token and time.monotonic() < deadline:
        with suppress(DatabaseUnavailable):
            token = maker.new_token()

    assert token.startswith(HOST)


def test_other_passwords_need_no_token() -> None:
    assert database_tokens.maker(factories.settings()) is None

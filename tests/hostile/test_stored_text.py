"""A hostile answer, from the form to every output: page, commands, spreadsheet and log."""

import csv
import io
import json

import pytest
from flask.testing import FlaskClient

from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import csrf_token

pytestmark = on_sqlite

# A formula, markup, a template, a format, a quote, a terminal run_command, a right-to-left override, a forged log line.
HOSTILE = (
    '=HYPERLINK("javascript:alert(1)")\'><script>alert(1)</script><img src=x onerror=alert(1)>'
    '{{ 76543 * 3 }}${76543*3}%s%(x)s&lt;\x1b]0;pwned\x07\x1b[2J\u202e\x00"}\r\n{"event": "forged"}'
)
STORED = (
    '=HYPERLINK("javascript:alert(1)")\'><script>alert(1)</script><img src=x onerror=alert(1)>'
    '{{ 76543 * 3 }}${76543*3}%s%(x)s&lt;]0;pwned[2J"} {"event": "forged"}'
)
MARKUP = ("<script", "<img src=x", "229629", "javascript:alert(1)&#34;)'>")


@pytest.fixture
def registered_client(client: FlaskClient, sandbox: Sandbox) -> FlaskClient:
    """The browser of a buyer who has typed the hostile text into every field that allows it."""
    offer = {"x-amzn-marketplace-offer-type": HOSTILE, "x-amzn-marketplace-agreement-id": HOSTILE}
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox), **offer})
    answers = {**ANSWERS, "company": HOSTILE, "full_name": HOSTILE, "notes": HOSTILE}
    form = {"csrf_token": csrf_token(client.get("/signup").text)}
    assert client.post("/signup", data={**form, **answers}).location == "/welcome"
    return client


def run_command(client: FlaskClient, *arguments: str) -> str:
    return client.application.test_cli_runner().invoke(args=list(arguments)).stdout_bytes.decode()


def test_every_page_shows_hostile_answers_as_text(registered_client: FlaskClient) -> None:
    form = {**ANSWERS, "company": HOSTILE, "full_name": HOSTILE, "email": HOSTILE, "phone": HOSTILE, "notes": HOSTILE}

    pages = [registered_client.get("/welcome").text, registered_client.post("/signup", data=form).text]

    for page in pages:
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert [markup for markup in MARKUP if markup in page] == []


def test_page_with_a_retry_form_shows_hostile_fields_as_text(client: FlaskClient, sandbox: Sandbox) -> None:
    sandbox.marketplace.change_faults(access_denied=True)

    page = client.post("/", data={TOKEN_FIELD: STORED, f"x-amzn-marketplace-{STORED}": STORED}).text

    assert [markup for markup in MARKUP if markup in page] == []


@pytest.mark.parametrize("group", ["registrations", "subscriptions"])
@pytest.mark.parametrize("options", [[], ["--json"]], ids=str)
def test_no_command_prints_control_characters(registered_client: FlaskClient, group: str, options: list[str]) -> None:
    [row] = json.loads(run_command(registered_client, group, "list", "--json"))

    output = run_command(registered_client, group, "list", *options)
    output += run_command(registered_client, group, "show", row["id"], *options)

    assert "HYPERLINK" in output
    assert all(line.isprintable() for line in output.splitlines())
    assert "\x1b" not in output


def test_csv_export_has_hostile_answers_as_text_in_one_cell(registered_client: FlaskClient) -> None:
    [row] = csv.DictReader(
        io.StringIO(run_command(registered_client, "registrations", "export"), newline=""), strict=True
    )

    assert row["company"] == row["full_name"] == f"'{STORED}"
    assert not [name for name, value in row.items() if value.startswith(("=", "+", "-", "@"))]


def test_jsonl_export_has_answers_as_stored(registered_client: FlaskClient) -> None:
    [line] = run_command(registered_client, "registrations", "export", "--format", "jsonl").splitlines()

    assert json.loads(line)["company"] == STORED


def test_log_has_nothing_of_hostile_answers(registered_client: FlaskClient, capfd: pytest.CaptureFixture[str]) -> None:
    registered_client.get(
        "/welcome", query_string={"q": HOSTILE}, headers={"User-Agent": "HYPERLINK(", "Referer": "HYPERLINK("}
    )
    registered_client.get(f"/{HOSTILE}".replace("\x00", ""))

    lines = capfd.readouterr().err.splitlines()
    assert {json.loads(line)["event"] for line in lines} <= {"request.answered", "request.failed"}
    assert not [line for line in lines if "HYPERLINK" in line or "forged" in line or "pwned" in line]

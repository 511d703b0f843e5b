"""The inbox: mail sent through SES, shown on the storefront's pages and in its JSON API."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import requests
from justhtml import JustHTML

from app.services.outbox import bounces
from sandbox.server import Sandbox
from tests.sandbox.conftest import CreateClient, OpenPage, QueueReader, element_attributes
from tests.sandbox.test_storefront import submit_form
from tests.support.sandbox_api import call_api

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

HOSTILE = "<script>alert(1)</script>"
HTML = f'<!DOCTYPE html><html><head><title>"x"</title></head><body><a href="http://localhost/a">{HOSTILE}</a></body></html>'

Send = Callable[..., str]


@pytest.fixture
def send(create_client: CreateClient) -> Send:
    """Send a mail as the app does, and return its SES message id."""
    ses: SESV2Client = create_client("sesv2")

    def send_email(subject: str = "Hello", text: str = "Look at http://localhost:8000/a", **overrides: Any) -> str:
        body: Any = {"Text": {"Data": text}, "Html": {"Data": HTML}}
        request: Any = {
            "FromEmailAddress": "=?utf-8?q?Acme_=C3=84?= <start@acme.example>",
            "Destination": {"ToAddresses": ["ada@gmail.com"]},
            "ReplyToAddresses": ["help@acme.example"],
            "Content": {"Simple": {"Subject": {"Data": subject}, "Body": body}},
            "EmailTags": [{"Name": "foyer-outbox", "Value": "01930000-0000-7000-8000-000000000001"}],
        }
        return ses.send_email(**(request | overrides))["MessageId"]

    return send_email


def test_mail_from_an_unverified_address_is_stored(sandbox: Sandbox, send: Send) -> None:
    message_id = send()

    [mail] = call_api(sandbox, "GET", "/inbox").json()
    assert mail == call_api(sandbox, "GET", "/inbox/1").json()
    assert mail["id"] == message_id
    assert (mail["to"], mail["reply_to"], mail["subject"]) == (["ada@gmail.com"], ["help@acme.example"], "Hello")
    assert (mail["text"], mail["html"]) == ("Look at http://localhost:8000/a", HTML)
    assert mail["tags"] == {"foyer-outbox": "01930000-0000-7000-8000-000000000001"}


def test_inbox_lists_the_latest_mail_first(open_page: OpenPage, send: Send) -> None:
    send("First")
    send("Second")

    page = open_page("/inbox")

    assert [heading.to_text() for heading in page.query(".card h2")] == ["Second", "First"]
    assert [link["href"] for link in element_attributes(page, ".card a")] == ["/inbox/2", "/inbox/1"]
    assert "To ada@gmail.com" in page.query(".card")[0].to_text()


def test_empty_inbox_explains_how_to_fill_it(open_page: OpenPage) -> None:
    page = open_page("/inbox")

    assert page.query(".card") == []
    assert "The app has sent no mail yet." in page.query("main")[0].to_text()


def test_mail_is_shown_as_linked_text_and_as_html_without_scripts(open_page: OpenPage, send: Send) -> None:
    send(text=f"Look at http://localhost:8000/a {HOSTILE}")

    page = open_page("/inbox/1")

    assert [link["href"] for link in element_attributes(page, "pre a")] == ["http://localhost:8000/a"]
    assert HOSTILE in page.query("pre")[0].to_text()
    assert page.query("script") == []
    [frame] = element_attributes(page, "iframe")
    assert frame["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"
    assert frame["srcdoc"] == HTML.replace("<head>", '<head><base target="_blank">')
    assert "Acme Ä <start@acme.example>" in page.query(".facts")[0].to_text()


def test_bounce_button_queues_the_bounce_event(
    sandbox: Sandbox, open_page: OpenPage, send: Send, queue: QueueReader
) -> None:
    message_id = send()
    [form] = element_attributes(open_page("/inbox/1"), "form")

    response = submit_form(sandbox, form["action"])

    [event] = queue.receive_and_delete_all()
    bounce = bounces.parse(event)
    assert (response.status_code, response.headers["Location"]) == (303, "/inbox/1")
    assert bounce
    assert (bounce.provider_id, bounce.reason) == (message_id, "Permanent/General")
    assert str(bounce.outbox_id) == "01930000-0000-7000-8000-000000000001"
    assert [badge.to_text() for badge in open_page("/inbox").query(".card .badge")] == ["bounced"]


def test_api_bounces_a_mail_and_returns_the_event(sandbox: Sandbox, send: Send, queue: QueueReader) -> None:
    send()

    response = call_api(sandbox, "POST", "/inbox/1/bounce")

    assert response.status_code == 201
    assert queue.receive_and_delete_all() == [response.json()]
    assert call_api(sandbox, "GET", "/inbox/1").json()["bounced"]


def test_reset_empties_the_inbox(sandbox: Sandbox, send: Send) -> None:
    send()

    call_api(sandbox, "POST", "/reset")

    assert call_api(sandbox, "GET", "/inbox").json() == []


@pytest.mark.parametrize(("method", "path"), [("GET", "/inbox/7"), ("POST", "/inbox/7/bounce")])
def test_unknown_mail_is_not_found(sandbox: Sandbox, method: str, path: str) -> None:
    response = call_api(sandbox, method, path)
    page = requests.request(method, f"{sandbox.storefront_url}{path}", timeout=30)

    assert (response.status_code, page.status_code) == (404, 404)
    assert response.json()["error"] == "There is no mail 7. GET /api/inbox lists them."
    assert "There is no mail 7." in JustHTML(page.text, strict=True, sanitize=False).to_text()

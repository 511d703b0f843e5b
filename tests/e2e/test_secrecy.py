"""Personal data with marks goes through every path, errors included: no mark is in logs, metrics, URLs or cookies."""

import json
import zlib
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from sandbox.faults import Faults
from sandbox.server import Sandbox
from tests.support import app_processes, factories
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD
from tests.support.page_checks import csrf_token

PERSON = {
    "company": "Zyxcompany Ltd",
    "full_name": "Zyxname Zyxfamily",
    "email": "zyxmail@zyxhost.example",
    "phone": "+1 555 987 6543",
    "notes": "zyxnotes",
}
MARKS = ("zyxcompany", "zyxname", "zyxfamily", "zyxmail", "zyxhost", "zyxnotes", "987 6543", "9876543")
FAULTS = (
    *("expired", "invalid", "aws_down", "access_denied", "api_disabled", "no_customer"),
    *("credentials_expired", "credentials_unknown", "other_product"),
)


class RecordingBrowser(requests.Session):
    """A browser that records every URL it was sent to and every response header."""

    def __init__(self, url: str, sandbox: Sandbox) -> None:
        super().__init__()
        self.recorded: list[str] = []
        self.tokens: list[str] = []
        self._url, self._sandbox = url, sandbox
        self.hooks["response"].append(self._record)

    def land(self, **faults: bool) -> requests.Response:
        """Land with the token of a new purchase, while AWS has these faults."""
        token = factories.token(self._sandbox)
        self.tokens.append(token)
        self._sandbox.marketplace.faults = Faults.model_validate(faults)
        return self.post(self._url, data={TOKEN_FIELD: token}, timeout=20)

    def register(self, **changes: str) -> requests.Response:
        """Send the form, with an invalid CSRF token if no form is shown."""
        page = self.get(f"{self._url}signup", timeout=20).text
        form_token = csrf_token(page) if "csrf_token" in page else "none"
        return self.post(f"{self._url}signup", data={"csrf_token": form_token, **PERSON, **changes}, timeout=20)

    def _record(self, response: requests.Response, **_: object) -> None:
        self.recorded += [response.url, *(f"{name}: {value}" for name, value in response.headers.items())]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def url(database_url: str, sandbox: Sandbox, log: Path) -> Iterator[str]:
    """The URL of the application, which logs everything to `log`."""
    environment = {**factories.environment(database_url, sandbox.aws_url), "LOG_LEVEL": "DEBUG"}
    with log.open("wb") as file, app_processes.run_gunicorn(environment, log=file) as url:
        yield url


@pytest.fixture
def http_buyer(url: str, sandbox: Sandbox) -> RecordingBrowser:
    return RecordingBrowser(url, sandbox)


def has_no_mark(text: str, tokens: list[str]) -> bool:
    """Return whether the text contains none of the marks and no part of a token."""
    lower = text.lower()
    pieces = {token[start : start + 20] for token in tokens for start in range(0, len(token) - 20, 20)}
    return not any(mark in lower for mark in MARKS) and not any(piece in text for piece in pieces)


def decode_session(cookie: str) -> str:
    """Return the content of a session cookie, which is signed but not encrypted."""
    compressed, body = cookie.startswith("."), cookie.lstrip(".").partition(".")[0]
    plain = urlsafe_b64decode(body + "=" * (-len(body) % 4))
    return (zlib.decompress(plain) if compressed else plain).decode("utf-8", "replace")


def register(buyer: RecordingBrowser, _: str) -> None:
    buyer.land()
    assert buyer.register(email="zyx-not-an-address").status_code == 422
    assert buyer.register().url.endswith("/welcome")
    buyer.land()


def cause_every_fault(buyer: RecordingBrowser, _: str) -> None:
    for fault in FAULTS:
        buyer.land(**{fault: True})
        buyer.register()


def lose_the_session(buyer: RecordingBrowser, _: str) -> None:
    buyer.land()
    form_token = csrf_token(buyer.get(f"{buyer._url}signup", timeout=20).text)
    buyer.cookies.clear_session_cookies()
    buyer.cookies.clear(buyer.cookies.list_domains()[0], "/", "session")
    assert buyer.post(f"{buyer._url}signup", data={"csrf_token": form_token, **PERSON}, timeout=20).status_code == 403
    assert "draft" in buyer.cookies


def send_odd_requests(buyer: RecordingBrowser, url: str) -> None:
    for method, path in (("GET", "zyxpath"), ("DELETE", "signup"), ("ZYXNAME", "signup")):
        buyer.request(method, f"{url}{path}", timeout=20)
    buyer.post(url, data={TOKEN_FIELD: f"{buyer.tokens[-1] if buyer.tokens else ''}zyxnotes" * 5000}, timeout=20)
    buyer.close()  # the server closes it, too, because it has not read the whole body
    buyer.post(url, data=b"zyxnotes", headers={"Content-Type": "multipart/form-data; boundary=zyx"}, timeout=20)
    buyer.get(
        url, headers={"Host": "zyxhost.example", "X-Forwarded-For": "zyxname", "Cookie": "session=zyxname"}, timeout=20
    )


pytestmark = on_sqlite

PATHS: list[Callable[[RecordingBrowser, str], None]] = [
    register,
    cause_every_fault,
    lose_the_session,
    send_odd_requests,
]


def test_no_token_or_personal_data_is_in_logs_metrics_urls_or_cookies(
    http_buyer: RecordingBrowser, url: str, sandbox: Sandbox, log: Path
) -> None:
    sessions = []
    for path in PATHS:
        path(http_buyer, url)
        sessions.append(decode_session(http_buyer.cookies.get("session") or ""))
        http_buyer.cookies.clear()
    sandbox.marketplace.faults = Faults()
    metrics = requests.get(f"{url}metrics", timeout=20).text

    lines = log.read_text(encoding="utf-8")

    recorded = [text for text in http_buyer.recorded if "zyxpath" not in text]
    assert any("draft=" in header for header in recorded)
    assert lines.count("request.answered") > 30
    assert "foyer_landings_total" in metrics
    for text in (lines, metrics, *recorded, *sessions):
        assert has_no_mark(text, http_buyer.tokens), text


def test_each_request_logs_one_line_with_id_route_outcome_and_duration(
    http_buyer: RecordingBrowser, url: str, log: Path
) -> None:
    http_buyer.land()
    http_buyer.register()

    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    answered = [event for event in events if event["event"] == "request.answered" and event["level"] == "info"]
    assert [(event["method"], event["route"], event["outcome"]) for event in answered] == [
        ("POST", "/", "resolved"),
        ("GET", "/signup", "shown"),
        ("GET", "/signup", "shown"),
        ("POST", "/signup", "completed"),
        ("GET", "/welcome", None),
    ]
    assert all(event["milliseconds"] > 0 for event in answered)
    assert len({event["request"] for event in answered}) == len(answered)

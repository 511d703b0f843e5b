"""The example product with a Foyer that takes its usage, and a customer who uses something."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from flask import Response, jsonify, make_response, request

from sandbox.example.server import ExampleProduct, UsageSettings
from tests.support.fake_foyer import (
    REGISTRATION_PAYLOAD,
    SECRET,
    SUBSCRIPTION_PAYLOAD,
    check_example_page,
    handoff,
    send_handoff,
)

TOKEN = "a token of Foyer's"
NOW = datetime(2026, 11, 28, 9, 30, 12, 345678, tzinfo=UTC)
LICENSE_ARN = "arn:aws:license-manager::294406891311:license:l-0123456789abcdef0123456789abcdef"
SUBSCRIPTION_ID = SUBSCRIPTION_PAYLOAD["id"]
Answer = Callable[[list[dict[str, Any]]], Response | str]


class UsageReceiver:
    """Stands in for Foyer: keeps what it received, and answers as the test chooses."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[dict[str, Any]] = []
        self.tokens: list[str | None] = []
        self.answer = verdict("accepted")

    def receive(self) -> Response | str:
        items = request.get_json()
        self.tokens.append(request.headers.get("Authorization"))
        self.received += items
        return self.answer(items)


def verdict(value: str, status: int = 200, detail: str | None = None) -> Answer:
    """Answer with this verdict on every item."""

    def answer(items: list[dict[str, Any]]) -> Response:
        named = {} if detail is None else {"detail": detail}
        verdicts = [{"id": item["id"], "status": status, "verdict": value, **named} for item in items]
        return make_response(jsonify(items=verdicts), status)

    return answer


def failure(status: int) -> Answer:
    return lambda _: make_response({"title": "no"}, status)


def run_product(url: str, state: Path | None = None, retry_seconds: float = 3600, **settings: Any) -> ExampleProduct:
    usage = UsageSettings(**{"token": TOKEN, "now": lambda: NOW, "retry_seconds": retry_seconds, **settings})
    return ExampleProduct(secrets=[SECRET], site_url=url, state_path=state, usage=usage)


class Customer:
    """Ada, signed in to her tenant."""

    def __init__(self, example: ExampleProduct, **subscription: Any) -> None:
        values = {"status": "active", "license_arn": LICENSE_ARN, **subscription}
        self.reference = send_handoff(example.handoff_url, handoff(**values)).json()["reference"]
        self.url, self.browser = example.url, requests.Session()
        member = {"account": self.reference, "member": REGISTRATION_PAYLOAD["id"]}
        self.browser.post(example.sign_in_url, member, timeout=30)

    def use(self, subscription: str = SUBSCRIPTION_ID, reference: str | None = None) -> requests.Response:
        path = f"/t/{reference or self.reference}/usage"
        return self.browser.post(self.url + path, {"subscription": subscription}, timeout=30)

    def home(self) -> requests.Response:
        return check_example_page(self.browser.get(f"{self.url}/t/{self.reference}", timeout=30))

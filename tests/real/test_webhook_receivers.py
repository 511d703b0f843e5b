"""Hand-offs that Foyer sends, received in Node with the two public libraries for Standard Webhooks."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask

from app import create_app
from tests.real import packages, programs
from tests.support import factories, longest_values
from tests.support.databases import on_sqlite
from tests.support.handoff_receiver import SECRET
from tests.support.outbox_messages import register_customer, send_due_handoffs
from tests.support.ports import free_port

pytestmark = on_sqlite

SCRIPT = Path(__file__).parent / "node" / "receiver.cjs"
NEW_SECRET = "whsec_YW5vdGhlci1zZWNyZXQtZm9yLXJvdGF0aW9uLS0tLS0="
LONGEST_ANSWERS: dict[str, Any] = {
    name: longest_values.ANSWERS[name] for name in ("company", "full_name", "email", "phone")
}


@dataclass
class NodeReceiver:
    """The running product, and what it printed of each request."""

    url: str
    log: Path

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").split("\n") if line]


Serve = Callable[[str], AbstractContextManager[NodeReceiver]]


@pytest.fixture(params=["standardwebhooks", "svix"])
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Serve:
    """Run a product that verifies with the library and this secret."""
    node, folder = programs.path_of("node"), programs.folder_of(packages.WEBHOOKS)

    @contextmanager
    def run(secret: str) -> Iterator[NodeReceiver]:
        port, log = free_port(), tmp_path / "receiver.log"
        command = [node, str(SCRIPT), request.param, str(port), secret]
        with programs.run(command, port, log, {"NODE_PATH": f"{folder}/node_modules"}):
            yield NodeReceiver(f"http://127.0.0.1:{port}/foyer", log)

    return run


@contextmanager
def foyer(environment: pytest.MonkeyPatch, url: str, secrets: str = SECRET) -> Iterator[Flask]:
    """Run Foyer with that product and these secrets."""
    factories.enable_handoffs(environment, url)
    environment.setenv("HANDOFF_SECRET", secrets)
    with factories.open_app(create_app()) as app:
        yield app


def test_receiver_in_node_verifies_the_longest_registration(environment: pytest.MonkeyPatch, serve: Serve) -> None:
    notes = f'{longest_values.text(1900, longest_values.ASTRAL)}\n"<\u2028>\\"'
    with serve(SECRET) as receiver, foyer(environment, receiver.url) as app:
        register_customer(app, notes=notes, **LONGEST_ANSWERS)

        assert send_due_handoffs(app) == [True]

    [received] = receiver.requests
    assert "error" not in received
    assert received["delivery"]["type"] == "registration.completed"
    registration = received["delivery"]["data"]["registration"]
    assert registration["notes"] == notes
    assert {name: registration[name] for name in LONGEST_ANSWERS} == LONGEST_ANSWERS


def test_receiver_in_node_refuses_a_changed_handoff(environment: pytest.MonkeyPatch, serve: Serve) -> None:
    with serve(SECRET) as receiver, foyer(environment, receiver.url) as app:
        register_customer(app)
        send_due_handoffs(app)
        [genuine] = receiver.requests
        changed_body = genuine["body"].replace("Juniper", "Jupiter")
        later = {"webhook-timestamp": str(int(genuine["headers"]["webhook-timestamp"]) + 1)}
        other_id = {"webhook-id": "msg_other"}

        statuses = [
            requests.post(
                receiver.url, data=body.encode(), headers={**genuine["headers"], **headers}, timeout=5
            ).status_code
            for body, headers in [
                (genuine["body"], {}),
                (changed_body, {"content-length": str(len(changed_body.encode()))}),
                (genuine["body"], later),
                (genuine["body"], other_id),
            ]
        ]

    assert statuses == [200, 401, 401, 401]


@pytest.mark.parametrize("known", [SECRET, NEW_SECRET], ids=["old", "new"])
def test_receiver_in_node_with_either_secret_verifies_during_a_rotation(
    environment: pytest.MonkeyPatch, serve: Serve, known: str
) -> None:
    with serve(known) as receiver, foyer(environment, receiver.url, f"{NEW_SECRET},{SECRET}") as app:
        register_customer(app)

        assert send_due_handoffs(app) == [True]

    [received] = receiver.requests
    assert len(received["headers"]["webhook-signature"].split()) == 2
    assert "error" not in received


def test_receiver_in_node_with_another_secret_refuses(environment: pytest.MonkeyPatch, serve: Serve) -> None:
    with serve(NEW_SECRET) as receiver, foyer(environment, receiver.url) as app:
        register_customer(app)

        assert send_due_handoffs(app) == [False]

    [received] = receiver.requests
    assert "WebhookVerificationError: No matching signature found" in received["error"]

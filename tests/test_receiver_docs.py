"""docs/receiver.md is correct: its code runs, its JSON is a valid hand-off, its tables are complete."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import requests
from pydantic import TypeAdapter

from app.services.outbox import account_reply, payload, payload_part
from sandbox.example.handoffs import Handoff, RefusalReason
from sandbox.example.labels import REFUSALS
from tests.support import fake_foyer
from tests.support.fake_foyer import NEWER_SECRET, SECRET, UNKNOWN_SECRET, FakeFoyer, handoff, send_handoff
from tests.support.local_server import serve_app

DOCUMENT = (Path(__file__).parents[1] / "docs" / "receiver.md").read_text(encoding="utf-8")
PYTHON = "\n".join(re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL))
[EXAMPLE] = re.findall(r"^```json\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
PRODUCT_URL = "https://app.acme.example"


@pytest.fixture
def keys() -> Iterator[FakeFoyer]:
    with fake_foyer.publish_keys(FakeFoyer()) as running:
        yield running


@pytest.fixture
def product(keys: FakeFoyer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a product that runs the document's code."""
    # With commas too many: Foyer accepts such a list, so the product has to.
    monkeypatch.setenv("HANDOFF_SECRET", f",{NEWER_SECRET}, ,{SECRET},")
    monkeypatch.setenv("SITE_URL", keys.site_url)
    monkeypatch.setenv("PRODUCT_CODE", fake_foyer.PRODUCT_CODE)
    monkeypatch.setenv("SESSION_KEY", "for-tests-only")
    module: dict[str, Any] = {"__name__": "product"}
    exec(compile(PYTHON, "receiver.md", "exec"), module)  # noqa: S102  # our own document
    with serve_app(module["app"]) as url:
        yield url


def first_column(heading: str) -> list[str]:
    rows = re.search(rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", DOCUMENT, re.MULTILINE)
    assert rows, heading
    return re.findall(r"^\| `([^`]+)` \|", rows[1], re.MULTILINE)


def test_code_receives_handoffs_in_any_order_and_makes_one_account(product: str) -> None:
    without_registration = send_handoff(f"{product}/foyer", handoff(registration=None))
    first = send_handoff(f"{product}/foyer", handoff(sequence=3), secrets=(NEWER_SECRET,))
    resent = send_handoff(f"{product}/foyer", handoff(sequence=3))
    older = send_handoff(f"{product}/foyer", handoff(sequence=2))
    merged = send_handoff(
        f"{product}/foyer", handoff(**fake_foyer.OTHER_SUBSCRIPTION, former_ids=[fake_foyer.SUBSCRIPTION_PAYLOAD["id"]])
    )

    assert without_registration.json() == {}
    assert first.json()["url"] == f"{PRODUCT_URL}/accounts/{first.json()['reference']}/enter"
    assert resent.json() == older.json() == merged.json() == first.json()


def test_code_refuses_handoffs_with_an_invalid_signature_or_time(product: str) -> None:
    responses = [
        send_handoff(f"{product}/foyer", handoff(), secrets=(UNKNOWN_SECRET,)),
        send_handoff(f"{product}/foyer", handoff(), webhook_signature="nothing like it"),
        send_handoff(f"{product}/foyer", handoff(), webhook_timestamp="1700000000"),
        requests.post(f"{product}/foyer", data="{}", timeout=30),
    ]

    assert [response.status_code for response in responses] == [401] * 4


def test_code_refuses_existing_accounts_and_makes_new_ones(product: str) -> None:
    refused = [
        send_handoff(f"{product}/foyer", handoff(account=fake_foyer.existing_account_request("acme"))).json()
        for _ in range(2)
    ]

    accepted = send_handoff(f"{product}/foyer", handoff("registration.updated", sequence=2)).json()

    assert refused == [{"refused": "not_supported"}] * 2
    assert accepted["reference"].startswith("acme-")


def test_code_accepts_a_sign_in_token_once(product: str, keys: FakeFoyer) -> None:
    reference = send_handoff(f"{product}/foyer", handoff()).json()["reference"]
    enter_url, token = f"{product}/accounts/{reference}/enter", keys.sign_in_token()

    accepted, *refused = (
        requests.get(url, params={"foyer_assertion": assertion}, timeout=30, allow_redirects=False)
        for url, assertion in (
            (enter_url, token),
            (enter_url, token),
            (enter_url, keys.sign_in_token(aud="another")),
            (f"{product}/accounts/another/enter", keys.sign_in_token()),
            (enter_url, ""),
        )
    )

    assert (accepted.status_code, accepted.headers["Location"]) == (303, f"/accounts/{reference}")
    assert [response.status_code for response in refused] == [403] * 4


def test_example_is_a_handoff_with_every_field() -> None:
    example = json.loads(EXAMPLE)

    handoff = payload_part.as_json(TypeAdapter(payload.Handoff).validate_python(example))
    # A hand-off of another type than usage.refused has no usage.
    assert handoff["data"].pop("usage") is None
    assert handoff == example
    assert Handoff.model_validate(example).data.registration is not None


def test_every_handoff_type_is_listed() -> None:
    assert first_column("type") == list(payload.HandoffType)


def test_every_reply_field_and_refusal_reason_is_listed() -> None:
    reasons = first_column("`refused`")

    assert first_column("member") == ["url", "reference", "refused"]
    assert reasons == list(get_args(RefusalReason)) == list(REFUSALS)
    assert [refused_by(json.dumps({"refused": reason})) for reason in reasons] == reasons


def refused_by(body: str) -> str | None:
    reply = account_reply.parse(body.encode())
    assert reply
    return reply.refused

"""What docs/receiver.md tells sellers is so: its code runs, its JSON is a hand-off, its tables are complete."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import requests

from app.services.outbox import account_reply, payload
from sandbox.example.handoffs import Handoff, RefusalReason
from sandbox.example.labels import REFUSALS
from sandbox.server import ThreadedServer
from tests.support import fake_foyer
from tests.support.fake_foyer import NEWER_SECRET, SECRET, UNKNOWN_SECRET, FakeFoyer, handoff, send_handoff

DOCUMENT = (Path(__file__).parents[1] / "docs" / "receiver.md").read_text(encoding="utf-8")
PYTHON = "\n".join(re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL))
[EXAMPLE] = re.findall(r"^```json\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
ELSEWHERE = "https://app.acme.example"


@pytest.fixture
def keys() -> Iterator[FakeFoyer]:
    with fake_foyer.publish_keys(FakeFoyer()) as running:
        yield running


@pytest.fixture
def product(keys: FakeFoyer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a product that consists of the document's code."""
    monkeypatch.setenv("HANDOFF_SECRET", f"{NEWER_SECRET}, {SECRET}")
    monkeypatch.setenv("SITE_URL", keys.site_url)
    monkeypatch.setenv("PRODUCT_CODE", fake_foyer.PRODUCT_CODE)
    monkeypatch.setenv("SESSION_KEY", "for tests alone")
    names: dict[str, Any] = {"__name__": "product"}
    exec(compile(PYTHON, "receiver.md", "exec"), names)  # noqa: S102  it is our own document
    door = ThreadedServer(names["app"], 0)
    yield door.url
    door.close()


def first_column(heading: str) -> list[str]:
    rows = re.search(rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", DOCUMENT, re.MULTILINE)
    assert rows, heading
    return re.findall(r"^\| `([^`]+)` \|", rows[1], re.MULTILINE)


def test_the_code_receives_hand_offs_in_any_order_and_makes_one_account(product: str) -> None:
    before = send_handoff(f"{product}/foyer", handoff(registration=None))
    first = send_handoff(f"{product}/foyer", handoff(sequence=3), secrets=(NEWER_SECRET,))
    again = send_handoff(f"{product}/foyer", handoff(sequence=3))
    older = send_handoff(f"{product}/foyer", handoff(sequence=2))
    merged = send_handoff(
        f"{product}/foyer", handoff(**fake_foyer.OTHER_SUBSCRIPTION, former_ids=[fake_foyer.SUBSCRIPTION_PAYLOAD["id"]])
    )

    assert before.json() == {}
    assert first.json()["url"] == f"{ELSEWHERE}/accounts/{first.json()['reference']}/enter"
    assert again.json() == older.json() == merged.json() == first.json()


def test_the_code_refuses_strangers(product: str) -> None:
    answers = [
        send_handoff(f"{product}/foyer", handoff(), secrets=(UNKNOWN_SECRET,)),
        send_handoff(f"{product}/foyer", handoff(), webhook_signature="nothing like it"),
        send_handoff(f"{product}/foyer", handoff(), webhook_timestamp="1700000000"),
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 401]


def test_the_code_refuses_links_each_time_and_makes_an_account_once_a_new_one_will_do(product: str) -> None:
    refused = [
        send_handoff(f"{product}/foyer", handoff(account=fake_foyer.existing_account_request("acme"))).json()
        for _ in range(2)
    ]

    made = send_handoff(f"{product}/foyer", handoff("registration.updated", sequence=2)).json()

    assert refused == [{"refused": "not_supported"}] * 2
    assert made["reference"].startswith("acme-")


def test_the_code_lets_a_buyer_in_once(product: str, keys: FakeFoyer) -> None:
    reference = send_handoff(f"{product}/foyer", handoff()).json()["reference"]
    way_in, assertion = f"{product}/accounts/{reference}/enter", keys.sign_in_token()

    first, again, strange, of_another, without = (
        requests.get(url, params={"foyer_assertion": sent}, timeout=5, allow_redirects=False)
        for url, sent in (
            (way_in, assertion),
            (way_in, assertion),
            (way_in, keys.sign_in_token(aud="another")),
            (f"{product}/accounts/another/enter", keys.sign_in_token()),
            (way_in, ""),
        )
    )

    assert (first.status_code, first.headers["Location"]) == (303, f"/accounts/{reference}")
    assert [answer.status_code for answer in (again, strange, of_another, without)] == [403] * 4


def test_the_example_is_a_hand_off_with_every_member_that_one_has() -> None:
    shown = json.loads(EXAMPLE)

    assert payload.Handoff.model_validate(shown).model_dump(mode="json") == shown
    assert Handoff.model_validate(shown).data.registration is not None


def test_every_type_of_event_is_listed() -> None:
    assert first_column("type") == list(payload.HandoffType)


def test_every_member_and_reason_of_an_answer_is_listed() -> None:
    reasons = first_column("`refused`")

    assert first_column("member") == ["url", "reference", "refused"]
    assert reasons == list(get_args(RefusalReason)) == list(REFUSALS)
    assert [refused_by(json.dumps({"refused": reason})) for reason in reasons] == reasons


def refused_by(body: str) -> str | None:
    said = account_reply.parse(body.encode())
    assert said
    return said.refused

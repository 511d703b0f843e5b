"""The example product receives hand-offs: signatures, replies, order and repetition."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.example.handoffs import Handoff
from sandbox.example.server import ExampleProduct
from sandbox.example.state import FIRST_TENANTS
from sandbox.example.tenants import Tenants, slugify
from tests.support import fake_foyer
from tests.support.fake_foyer import (
    NEWER_SECRET,
    OTHER_SUBSCRIPTION,
    REGISTRATION_PAYLOAD,
    SECRET,
    UNKNOWN_SECRET,
    created_companies,
    handoff,
    send_handoff,
)


def test_first_handoff_with_a_registration_creates_a_tenant(example: ExampleProduct) -> None:
    without_registration = send_handoff(example.handoff_url, handoff("subscription.activated", registration=None))

    with_registration = send_handoff(example.handoff_url, handoff(sequence=2))

    assert without_registration.json() == {}
    reference = with_registration.json()["reference"]
    assert with_registration.json() == {"url": f"{example.url}/t/{reference}/enter", "reference": reference}
    assert reference.startswith("juniper-lark-")
    assert created_companies(example) == ["Juniper & Lark"]


def test_further_handoffs_update_the_same_tenant(example: ExampleProduct) -> None:
    first = send_handoff(example.handoff_url, handoff())

    corrected = {**REGISTRATION_PAYLOAD, "full_name": "Ada King"}
    later = send_handoff(example.handoff_url, handoff("registration.updated", sequence=2, registration=corrected))

    assert later.json() == first.json()
    assert [member.name for member in example.tenants[-1].members] == ["Ada King"]


@pytest.mark.parametrize("secrets", [(SECRET,), (NEWER_SECRET,), (UNKNOWN_SECRET, SECRET)])
def test_any_signature_with_a_known_secret_is_accepted(example: ExampleProduct, secrets: tuple[str, ...]) -> None:
    reply = send_handoff(example.handoff_url, handoff(), secrets=secrets)

    assert reply.status_code == 200


@pytest.mark.parametrize(
    ("body", "overrides"),
    [
        (handoff(), {"secrets": (UNKNOWN_SECRET,)}),
        (handoff(), {"webhook_signature": "v1,not base64"}),
        (handoff(), {"webhook_signature": "nothing like it"}),
        (handoff(), {"webhook_signature": ""}),
        (handoff(), {"webhook_timestamp": "1700000000"}),
        (handoff(), {"webhook_timestamp": "now"}),
        (b"not JSON", {}),
        (handoff(), {"webhook_timestamp": "32503680000"}),
    ],
    ids=["stranger", "not base64", "no version", "none", "old", "no time", "no JSON", "future"],
)
def test_invalid_signature_is_refused_with_advice(
    example: ExampleProduct, body: dict[str, Any] | bytes, overrides: dict[str, Any]
) -> None:
    reply = send_handoff(example.handoff_url, body, **overrides)

    assert reply.status_code == 401
    assert "Compare HANDOFF_SECRET" in reply.text
    assert created_companies(example) == []


def test_body_that_is_not_utf8_is_refused(example: ExampleProduct) -> None:
    signed = {"webhook-id": "msg_1", "webhook-timestamp": "1", "webhook-signature": "v1,AA=="}

    reply = requests.post(example.handoff_url, data=b"\xff\xfe", headers=signed, timeout=30)

    assert reply.status_code == 401


def test_signed_body_of_another_version_is_refused(example: ExampleProduct) -> None:
    reply = send_handoff(example.handoff_url, {"type": "registration.completed", "version": 2})

    assert reply.status_code == 400
    assert "version 1" in reply.text


def test_unknown_payload_fields_are_ignored(example: ExampleProduct) -> None:
    payload = handoff(colour="green")
    payload["data"]["region"] = "eu"

    reply = send_handoff(example.handoff_url, payload)

    assert reply.status_code == 200


def test_repeated_handoff_has_one_effect_and_the_same_reply(example: ExampleProduct) -> None:
    first = send_handoff(example.handoff_url, handoff(), webhook_id="msg_1")

    repeated = send_handoff(example.handoff_url, handoff(sequence=9, status="ended"), webhook_id="msg_1")

    assert repeated.json() == first.json()
    assert created_companies(example) == ["Juniper & Lark"]
    assert "Pending" in requests.get(example.url, timeout=30).text


@pytest.fixture
def fast_thread_switching() -> Iterator[None]:
    """Make threads switch after every few bytecode instructions, so that a missing lock shows."""
    default_interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(default_interval)


@pytest.mark.usefixtures("fast_thread_switching")
def test_concurrent_handoffs_create_one_tenant_per_subscription() -> None:
    tenants, barrier = Tenants(), threading.Barrier(4, timeout=30)

    def send(sender: int) -> None:
        for n in range(50):
            hand_off = Handoff.model_validate(handoff(id=f"subscription {n}"))
            barrier.wait()
            tenants.apply_handoff(f"msg_{sender}_{n}", hand_off)

    with ThreadPoolExecutor(4) as senders:
        list(senders.map(send, range(4)))

    assert len(tenants.state.tenants) == len(FIRST_TENANTS) + 50


def test_older_sequence_changes_nothing(example: ExampleProduct) -> None:
    newest = send_handoff(example.handoff_url, handoff("subscription.ended", sequence=3, status="ended"))

    older = send_handoff(example.handoff_url, handoff("subscription.activated", sequence=2, status="active"))

    assert (older.status_code, older.json()) == (200, newest.json())
    page = requests.get(example.url, timeout=30).text
    assert "Ended" in page
    assert "Active" not in page


def test_merged_subscriptions_keep_their_tenant(example: ExampleProduct) -> None:
    former = send_handoff(example.handoff_url, handoff(sequence=7))

    merged = send_handoff(
        example.handoff_url,
        handoff(sequence=1, **OTHER_SUBSCRIPTION, former_ids=[fake_foyer.SUBSCRIPTION_PAYLOAD["id"]]),
    )
    late = send_handoff(example.handoff_url, handoff("subscription.ended", sequence=8, status="ended"))

    assert former.json() == merged.json() == late.json()
    assert created_companies(example) == ["Juniper & Lark"]
    assert "Ended" not in requests.get(example.url, timeout=30).text


def test_tenants_and_handoff_ids_survive_a_restart(tmp_path: Path) -> None:
    with ExampleProduct(secrets=[SECRET], state_path=tmp_path / "state.json") as before:
        first = send_handoff(before.handoff_url, handoff(), webhook_id="msg_1").json()

    with ExampleProduct(secrets=[SECRET], state_path=tmp_path / "state.json") as after:
        repeated = send_handoff(after.handoff_url, handoff(sequence=2, status="ended"), webhook_id="msg_1").json()

        assert repeated["reference"] == first["reference"]
        assert "Pending" in requests.get(after.url, timeout=30).text


def test_invalid_state_file_is_left_unchanged(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("mine")

    with pytest.raises(SystemExit, match="Delete it to start with the first tenants"):
        ExampleProduct(secrets=[SECRET], state_path=tmp_path / "state.json")

    assert (tmp_path / "state.json").read_text() == "mine"


@pytest.mark.parametrize(
    ("company", "slug"),
    [
        ("Acme", "acme"),
        ("  Čapek & Söhne GmbH  ", "capek-sohne-gmbh"),
        ("../../etc/passwd", "etc-passwd"),
        ("会社", "account"),
        ("<b>" * 30, "b-b-b-b-b-b-b-b-b-b-b-b"),
    ],
)
def test_slug_of_a_company_name_is_safe_in_a_url(company: str, slug: str) -> None:
    assert slugify(company) == slug

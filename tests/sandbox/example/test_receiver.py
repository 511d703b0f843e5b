"""The example product receives hand-offs: who may send them, what it makes of them, and what it answers."""

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


def test_the_first_hand_off_with_a_registration_makes_a_tenant_and_says_where_it_is(example: ExampleProduct) -> None:
    before = send_handoff(example.handoff_url, handoff("subscription.activated", registration=None))

    after = send_handoff(example.handoff_url, handoff(sequence=2))

    assert before.json() == {}
    reference = after.json()["reference"]
    assert after.json() == {"url": f"{example.url}/t/{reference}/enter", "reference": reference}
    assert reference.startswith("juniper-lark-")
    assert created_companies(example) == ["Juniper & Lark"]


def test_every_further_hand_off_is_of_the_same_tenant(example: ExampleProduct) -> None:
    first = send_handoff(example.handoff_url, handoff())

    corrected = {**REGISTRATION_PAYLOAD, "full_name": "Ada King"}
    later = send_handoff(example.handoff_url, handoff("registration.updated", sequence=2, registration=corrected))

    assert later.json() == first.json()
    assert [member.name for member in example.tenants[-1].members] == ["Ada King"]


@pytest.mark.parametrize("secrets", [(SECRET,), (NEWER_SECRET,), (UNKNOWN_SECRET, SECRET)])
def test_while_secrets_rotate_any_signature_with_a_known_one_will_do(
    example: ExampleProduct, secrets: tuple[str, ...]
) -> None:
    answer = send_handoff(example.handoff_url, handoff(), secrets=secrets)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "differing"),
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
def test_what_is_not_signed_is_refused_with_what_to_compare(
    example: ExampleProduct, body: dict[str, Any] | bytes, differing: dict[str, Any]
) -> None:
    answer = send_handoff(example.handoff_url, body, **differing)

    assert answer.status_code == 401
    assert "Compare HANDOFF_SECRET" in answer.text
    assert created_companies(example) == []


def test_a_body_that_is_no_text_is_refused(example: ExampleProduct) -> None:
    signed = {"webhook-id": "msg_1", "webhook-timestamp": "1", "webhook-signature": "v1,AA=="}

    answer = requests.post(example.handoff_url, data=b"\xff\xfe", headers=signed, timeout=5)

    assert answer.status_code == 401


def test_a_signed_body_of_another_version_is_not_taken_for_delivered(example: ExampleProduct) -> None:
    answer = send_handoff(example.handoff_url, {"type": "registration.completed", "version": 2})

    assert answer.status_code == 400
    assert "version 1" in answer.text


def test_members_that_are_new_to_the_product_do_no_harm(example: ExampleProduct) -> None:
    sent = handoff(colour="green")
    sent["data"]["region"] = "eu"

    answer = send_handoff(example.handoff_url, sent)

    assert answer.status_code == 200


def test_a_hand_off_that_comes_twice_has_one_effect_and_the_same_answer(example: ExampleProduct) -> None:
    first = send_handoff(example.handoff_url, handoff(), webhook_id="msg_1")

    again = send_handoff(example.handoff_url, handoff(sequence=9, status="ended"), webhook_id="msg_1")

    assert again.json() == first.json()
    assert created_companies(example) == ["Juniper & Lark"]
    assert "Pending" in requests.get(example.url, timeout=5).text


@pytest.fixture
def short_timeouts() -> Iterator[None]:
    """Threads take turns after every few steps."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("short_timeouts")
def test_hand_offs_that_come_at_once_make_one_tenant_for_each_subscription() -> None:
    tenants, at_once = Tenants(), threading.Barrier(4, timeout=5)

    def send(sender: int) -> None:
        for n in range(50):
            hand_off = Handoff.model_validate(handoff(id=f"subscription {n}"))
            at_once.wait()
            tenants.apply_handoff(f"msg_{sender}_{n}", hand_off)

    with ThreadPoolExecutor(4) as senders:
        list(senders.map(send, range(4)))

    assert len(tenants.state.tenants) == len(FIRST_TENANTS) + 50


def test_what_is_older_than_what_is_known_changes_nothing(example: ExampleProduct) -> None:
    newest = send_handoff(example.handoff_url, handoff("subscription.ended", sequence=3, status="ended"))

    older = send_handoff(example.handoff_url, handoff("subscription.activated", sequence=2, status="active"))

    assert (older.status_code, older.json()) == (200, newest.json())
    page = requests.get(example.url, timeout=5).text
    assert "Ended" in page
    assert "Active" not in page


def test_two_subscriptions_that_turn_out_to_be_one_keep_their_tenant(example: ExampleProduct) -> None:
    former = send_handoff(example.handoff_url, handoff(sequence=7))

    merged = send_handoff(
        example.handoff_url,
        handoff(sequence=1, **OTHER_SUBSCRIPTION, former_ids=[fake_foyer.SUBSCRIPTION_PAYLOAD["id"]]),
    )
    late = send_handoff(example.handoff_url, handoff("subscription.ended", sequence=8, status="ended"))

    assert former.json() == merged.json() == late.json()
    assert created_companies(example) == ["Juniper & Lark"]
    assert "Ended" not in requests.get(example.url, timeout=5).text


def test_tenants_and_what_was_taken_outlive_a_restart(tmp_path: Path) -> None:
    with ExampleProduct(secrets=[SECRET], state_path=tmp_path / "state.json") as before:
        first = send_handoff(before.handoff_url, handoff(), webhook_id="msg_1").json()

    with ExampleProduct(secrets=[SECRET], state_path=tmp_path / "state.json") as after:
        again = send_handoff(after.handoff_url, handoff(sequence=2, status="ended"), webhook_id="msg_1").json()

        assert again["reference"] == first["reference"]
        assert "Pending" in requests.get(after.url, timeout=5).text


def test_a_file_that_is_not_its_state_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("mine")

    with pytest.raises(SystemExit, match="Delete it to start with no tenants"):
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
def test_a_companys_name_becomes_safe_for_an_address(company: str, slug: str) -> None:
    assert slugify(company) == slug

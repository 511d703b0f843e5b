"""The troubles that the example product simulates, set by its panel or by a test."""

import threading

import pytest
import requests

from sandbox.example.server import ExampleProduct
from sandbox.example.troubles import Troubles
from tests.support import fake_foyer
from tests.support.fake_foyer import (
    GRACE_REGISTRATION,
    QUILLFEATHER_REFERENCE,
    check_example_page,
    existing_account_request,
    handoff,
    send_handoff,
)


@pytest.mark.parametrize(
    ("troubles", "status", "retry_after"),
    [
        (Troubles(down=True), 503, None),
        (Troubles(busy=True), 503, "2"),
        (Troubles(gone=True), 410, None),
        (Troubles(refuses="not_supported"), 200, None),
    ],
    ids=["down", "busy", "gone", "refuses links"],
)
def test_handoff_fails_while_a_trouble_is_on(
    example: ExampleProduct, troubles: Troubles, status: int, retry_after: str | None
) -> None:
    payload = handoff(registration=GRACE_REGISTRATION, account=existing_account_request(QUILLFEATHER_REFERENCE))
    example.troubles = troubles

    during = send_handoff(example.handoff_url, payload, webhook_id="msg_1")
    example.troubles = Troubles()
    reply = send_handoff(example.handoff_url, payload, webhook_id="msg_1")

    assert (during.status_code, during.headers.get("Retry-After")) == (status, retry_after)
    assert "reference" not in during.text
    assert reply.json()["reference"] == QUILLFEATHER_REFERENCE


def test_slow_product_answers_when_the_trouble_is_switched_off(example: ExampleProduct) -> None:
    answers: list[requests.Response] = []
    example.troubles = Troubles(slow=30)
    sender = threading.Thread(target=lambda: answers.append(send_handoff(example.handoff_url, handoff())))

    sender.start()
    sender.join(0.2)
    is_slow = sender.is_alive()
    example.troubles = Troubles()
    sender.join(30)

    assert is_slow
    assert [answer.status_code for answer in answers] == [200]


def test_product_answers_at_the_same_url_after_being_offline(example: ExampleProduct) -> None:
    url = example.handoff_url

    with example.offline(), pytest.raises(requests.ConnectionError):
        send_handoff(url, handoff())
    reply = send_handoff(url, handoff())

    assert reply.status_code == 200


def test_front_page_switches_troubles_and_lists_handoffs(example: ExampleProduct) -> None:
    send_handoff(example.handoff_url, handoff())
    fields = {"down": "true", "slow": "0.01", "refuses": "not_found"}

    page = check_example_page(requests.post(f"{example.url}/troubles", data=fields, timeout=30))

    assert example.troubles == Troubles(down=True, slow=0.01, refuses="not_found")
    assert "registration.completed" in page.text
    assert fake_foyer.SUBSCRIPTION_PAYLOAD["id"] in page.text


@pytest.mark.parametrize("invalid", [{"slow": "31"}, {"slow": "-1"}, {"refuses": "anything"}, {"unknown": "1"}])
def test_invalid_trouble_is_named(example: ExampleProduct, invalid: dict[str, str]) -> None:
    page = check_example_page(requests.post(f"{example.url}/troubles", data=invalid, timeout=30))

    assert page.status_code == 400
    assert next(iter(invalid)) in page.text
    assert example.troubles == Troubles()

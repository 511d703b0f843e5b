"""The example product pretends to be in trouble, for people by its panel and for tests."""

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
def test_a_trouble_is_answered_until_it_is_over(
    example: ExampleProduct, troubles: Troubles, status: int, retry_after: str | None
) -> None:
    sent = handoff(registration=GRACE_REGISTRATION, account=existing_account_request(QUILLFEATHER_REFERENCE))
    example.troubles = troubles

    troubled = send_handoff(example.handoff_url, sent, webhook_id="msg_1")
    example.troubles = Troubles()
    answer = send_handoff(example.handoff_url, sent, webhook_id="msg_1")

    assert (troubled.status_code, troubled.headers.get("Retry-After")) == (status, retry_after)
    assert "reference" not in troubled.text
    assert answer.json()["reference"] == QUILLFEATHER_REFERENCE


def test_a_slow_product_answers_once_the_trouble_is_over(example: ExampleProduct) -> None:
    answers: list[requests.Response] = []
    example.troubles = Troubles(slow=30)
    waiting = threading.Thread(target=lambda: answers.append(send_handoff(example.handoff_url, handoff())))

    waiting.start()
    waiting.join(0.2)
    is_slow = waiting.is_alive()
    example.troubles = Troubles()
    waiting.join(5)

    assert is_slow
    assert [answer.status_code for answer in answers] == [200]


def test_a_product_that_was_closed_answers_at_the_same_address_again(example: ExampleProduct) -> None:
    url = example.handoff_url

    with example.offline(), pytest.raises(requests.ConnectionError):
        send_handoff(url, handoff())
    answer = send_handoff(url, handoff())

    assert answer.status_code == 200


def test_the_front_page_switches_troubles_and_lists_what_was_received(example: ExampleProduct) -> None:
    send_handoff(example.handoff_url, handoff())
    asked = {"down": "true", "slow": "0.01", "refuses": "not_found"}

    page = check_example_page(requests.post(f"{example.url}/troubles", data=asked, timeout=5))

    assert example.troubles == Troubles(down=True, slow=0.01, refuses="not_found")
    assert "registration.completed" in page.text
    assert fake_foyer.SUBSCRIPTION_PAYLOAD["id"] in page.text


@pytest.mark.parametrize("odd", [{"slow": "31"}, {"slow": "-1"}, {"refuses": "anything"}, {"unknown": "1"}])
def test_an_odd_trouble_is_named(example: ExampleProduct, odd: dict[str, str]) -> None:
    page = check_example_page(requests.post(f"{example.url}/troubles", data=odd, timeout=5))

    assert page.status_code == 400
    assert next(iter(odd)) in page.text
    assert example.troubles == Troubles()

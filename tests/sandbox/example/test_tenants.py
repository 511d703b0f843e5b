"""Hand-offs that link a purchase to an existing account of the example product."""

from typing import Any

import pytest
import requests

from sandbox.example.server import ExampleProduct
from tests.support import fake_foyer
from tests.support.fake_foyer import (
    GRACE_REGISTRATION,
    OTHER_SUBSCRIPTION,
    QUILLFEATHER_REFERENCE,
    REGISTRATION_PAYLOAD,
    created_companies,
    existing_account_request,
    handoff,
    send_handoff,
)

UNKNOWN = "a9b8c7d6-0000-4000-8000-000000000003"


def link_quillfeather(example: ExampleProduct, **overrides: Any) -> requests.Response:
    account = existing_account_request(QUILLFEATHER_REFERENCE)
    payload = handoff(registration=GRACE_REGISTRATION, account=account, **overrides)
    return send_handoff(example.handoff_url, payload)


@pytest.mark.parametrize("account", [QUILLFEATHER_REFERENCE, " Quillfeather-7F3K ", "Alan@Quillfeather.Example"])
def test_account_is_found_by_reference_or_member_email(example: ExampleProduct, account: str) -> None:
    reply = send_handoff(
        example.handoff_url, handoff(registration=GRACE_REGISTRATION, account=existing_account_request(account))
    )

    assert reply.json()["reference"] == QUILLFEATHER_REFERENCE
    assert created_companies(example) == []
    assert GRACE_REGISTRATION["id"] not in {member.id for tenant in example.tenants for member in tenant.members}


@pytest.mark.parametrize(
    ("account", "registration", "reason"),
    [
        (existing_account_request("nobody@acme.example"), GRACE_REGISTRATION, "not_found"),
        (existing_account_request(""), GRACE_REGISTRATION, "not_found"),
        (existing_account_request(QUILLFEATHER_REFERENCE), REGISTRATION_PAYLOAD, "not_allowed"),
        ({"wish": "add", "subscription_id": UNKNOWN}, GRACE_REGISTRATION, "not_found"),
        ({"wish": "add", "subscription_id": None}, GRACE_REGISTRATION, "not_found"),
    ],
    ids=["unknown", "nothing typed", "another company's", "of an unknown subscription", "of no subscription"],
)
def test_account_that_cannot_be_linked_is_refused_with_the_reason(
    example: ExampleProduct, account: dict[str, Any], registration: dict[str, Any], reason: str
) -> None:
    reply = send_handoff(example.handoff_url, handoff(registration=registration, account=account))

    assert (reply.status_code, reply.json()) == (200, {"refused": reason})
    assert created_companies(example) == []


def test_account_paid_by_another_customer_is_refused_until_it_ends(example: ExampleProduct) -> None:
    other_customer = {**OTHER_SUBSCRIPTION, "customer_aws_account_id": "999999999999"}
    link_quillfeather(example)

    refused = link_quillfeather(example, **other_customer)
    send_handoff(
        example.handoff_url, handoff("subscription.ended", sequence=2, status="ended", registration=GRACE_REGISTRATION)
    )
    linked = link_quillfeather(example, sequence=2, **other_customer)

    assert refused.json() == {"refused": "already_linked"}
    assert linked.json()["reference"] == QUILLFEATHER_REFERENCE


def test_same_customer_links_a_second_purchase(example: ExampleProduct) -> None:
    link_quillfeather(example)

    second = link_quillfeather(example, **OTHER_SUBSCRIPTION)

    assert second.json()["reference"] == QUILLFEATHER_REFERENCE


def test_resent_handoff_after_a_refusal_is_checked_again(example: ExampleProduct) -> None:
    payload = handoff(account=existing_account_request("ada@juniper.example"), **OTHER_SUBSCRIPTION)
    refused = send_handoff(example.handoff_url, payload, webhook_id="msg_1").json()

    first = send_handoff(example.handoff_url, handoff()).json()
    resent = send_handoff(example.handoff_url, payload, webhook_id="msg_1").json()

    assert refused == {"refused": "not_found"}
    assert resent == first


def test_refused_buyer_can_get_a_new_account(example: ExampleProduct) -> None:
    send_handoff(example.handoff_url, handoff(account=existing_account_request("nobody")))

    reply = send_handoff(example.handoff_url, handoff("registration.updated", sequence=2))

    assert reply.json()["reference"].startswith("juniper-lark-")


def test_subscription_is_added_to_the_account_of_another(example: ExampleProduct) -> None:
    first = send_handoff(example.handoff_url, handoff())

    account = {"wish": "add", "subscription_id": fake_foyer.SUBSCRIPTION_PAYLOAD["id"]}
    added = send_handoff(
        example.handoff_url, handoff(registration=GRACE_REGISTRATION, account=account, **OTHER_SUBSCRIPTION)
    )

    assert added.json() == first.json()
    assert [member.name for member in example.tenants[-1].members] == ["Ada Lovelace", "Grace Hopper"]

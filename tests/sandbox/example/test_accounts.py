"""Buyers who want a purchase to be in an account that the example product has already."""

from typing import Any

import pytest

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


@pytest.mark.parametrize("account", [QUILLFEATHER_REFERENCE, " Quillfeather-7F3K ", "Alan@Quillfeather.Example"])
def test_an_account_is_found_by_its_reference_or_a_members_address(example: ExampleProduct, account: str) -> None:
    answer = send_handoff(
        example.handoff_url, handoff(registration=GRACE_REGISTRATION, account=existing_account_request(account))
    )

    assert answer.json()["reference"] == QUILLFEATHER_REFERENCE
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
def test_a_link_that_cannot_be_is_refused_with_its_reason(
    example: ExampleProduct, account: dict[str, Any], registration: dict[str, Any], reason: str
) -> None:
    answer = send_handoff(example.handoff_url, handoff(registration=registration, account=account))

    assert (answer.status_code, answer.json()) == (200, {"refused": reason})
    assert created_companies(example) == []


def test_an_account_that_another_customer_pays_for_is_refused_until_that_is_over(example: ExampleProduct) -> None:
    def asked(sequence: int, customer: str) -> Any:
        account = existing_account_request(QUILLFEATHER_REFERENCE)
        sent = handoff(
            sequence=sequence,
            registration=GRACE_REGISTRATION,
            account=account,
            **OTHER_SUBSCRIPTION,
            customer_aws_account_id=customer,
        )
        return send_handoff(example.handoff_url, sent).json()

    send_handoff(
        example.handoff_url,
        handoff(registration=GRACE_REGISTRATION, account=existing_account_request(QUILLFEATHER_REFERENCE)),
    )
    refused = asked(1, "999999999999")
    send_handoff(
        example.handoff_url, handoff("subscription.ended", sequence=2, status="ended", registration=GRACE_REGISTRATION)
    )
    linked = asked(2, "999999999999")

    assert refused == {"refused": "already_linked"}
    assert linked["reference"] == QUILLFEATHER_REFERENCE


def test_the_same_customer_links_a_second_purchase(example: ExampleProduct) -> None:
    send_handoff(
        example.handoff_url,
        handoff(registration=GRACE_REGISTRATION, account=existing_account_request(QUILLFEATHER_REFERENCE)),
    )

    second = send_handoff(
        example.handoff_url,
        handoff(
            registration=GRACE_REGISTRATION,
            account=existing_account_request(QUILLFEATHER_REFERENCE),
            **OTHER_SUBSCRIPTION,
        ),
    )

    assert second.json()["reference"] == QUILLFEATHER_REFERENCE


def test_a_refusal_is_judged_anew_when_it_comes_again(example: ExampleProduct) -> None:
    asking = handoff(account=existing_account_request("ada@juniper.example"), **OTHER_SUBSCRIPTION)
    refused = send_handoff(example.handoff_url, asking, webhook_id="msg_1").json()

    first = send_handoff(example.handoff_url, handoff()).json()
    again = send_handoff(example.handoff_url, asking, webhook_id="msg_1").json()

    assert refused == {"refused": "not_found"}
    assert again == first


def test_a_buyer_who_was_refused_can_have_a_new_account(example: ExampleProduct) -> None:
    send_handoff(example.handoff_url, handoff(account=existing_account_request("nobody")))

    answer = send_handoff(example.handoff_url, handoff("registration.updated", sequence=2))

    assert answer.json()["reference"].startswith("juniper-lark-")


def test_a_subscription_is_added_to_the_account_of_another(example: ExampleProduct) -> None:
    first = send_handoff(example.handoff_url, handoff())

    account = {"wish": "add", "subscription_id": fake_foyer.SUBSCRIPTION_PAYLOAD["id"]}
    added = send_handoff(
        example.handoff_url, handoff(registration=GRACE_REGISTRATION, account=account, **OTHER_SUBSCRIPTION)
    )

    assert added.json() == first.json()
    assert [member.name for member in example.tenants[-1].members] == ["Ada Lovelace", "Grace Hopper"]

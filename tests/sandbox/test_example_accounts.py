"""Buyers who want a purchase to be in an account that the example product has already."""

from typing import Any

import pytest

from sandbox.example.server import ExampleProduct
from tests.sandbox import foyer
from tests.sandbox.foyer import GRACE, OTHER, QUILLFEATHER, REGISTRATION, event, made, post, typed

UNKNOWN = "a9b8c7d6-0000-4000-8000-000000000003"


@pytest.mark.parametrize("account", [QUILLFEATHER, " Quillfeather-7F3K ", "Alan@Quillfeather.Example"])
def test_an_account_is_found_by_its_reference_or_a_members_address(example: ExampleProduct, account: str) -> None:
    answer = post(example.handoff_url, event(registration=GRACE, account=typed(account)))

    assert answer.json()["reference"] == QUILLFEATHER
    assert made(example) == []
    assert GRACE["id"] not in {member.id for tenant in example.tenants for member in tenant.members}


@pytest.mark.parametrize(
    ("account", "registration", "reason"),
    [
        (typed("nobody@acme.example"), GRACE, "not_found"),
        (typed(""), GRACE, "not_found"),
        (typed(QUILLFEATHER), REGISTRATION, "not_allowed"),
        ({"wish": "add", "subscription_id": UNKNOWN}, GRACE, "not_found"),
        ({"wish": "add", "subscription_id": None}, GRACE, "not_found"),
    ],
    ids=["unknown", "nothing typed", "another company's", "of an unknown subscription", "of no subscription"],
)
def test_a_link_that_cannot_be_is_refused_with_its_reason(
    example: ExampleProduct, account: dict[str, Any], registration: dict[str, Any], reason: str
) -> None:
    answer = post(example.handoff_url, event(registration=registration, account=account))

    assert (answer.status_code, answer.json()) == (200, {"refused": reason})
    assert made(example) == []


def test_an_account_that_another_customer_pays_for_is_refused_until_that_is_over(example: ExampleProduct) -> None:
    def asked(sequence: int, customer: str) -> Any:
        account = typed(QUILLFEATHER)
        sent = event(sequence=sequence, registration=GRACE, account=account, **OTHER, customer_aws_account_id=customer)
        return post(example.handoff_url, sent).json()

    post(example.handoff_url, event(registration=GRACE, account=typed(QUILLFEATHER)))
    refused = asked(1, "999999999999")
    post(example.handoff_url, event("subscription.ended", sequence=2, status="ended", registration=GRACE))
    linked = asked(2, "999999999999")

    assert refused == {"refused": "already_linked"}
    assert linked["reference"] == QUILLFEATHER


def test_the_same_customer_links_a_second_purchase(example: ExampleProduct) -> None:
    post(example.handoff_url, event(registration=GRACE, account=typed(QUILLFEATHER)))

    second = post(example.handoff_url, event(registration=GRACE, account=typed(QUILLFEATHER), **OTHER))

    assert second.json()["reference"] == QUILLFEATHER


def test_a_refusal_is_judged_anew_when_it_comes_again(example: ExampleProduct) -> None:
    asking = event(account=typed("ada@juniper.example"), **OTHER)
    refused = post(example.handoff_url, asking, webhook_id="msg_1").json()

    first = post(example.handoff_url, event()).json()
    again = post(example.handoff_url, asking, webhook_id="msg_1").json()

    assert refused == {"refused": "not_found"}
    assert again == first


def test_a_buyer_who_was_refused_can_have_a_new_account(example: ExampleProduct) -> None:
    post(example.handoff_url, event(account=typed("nobody")))

    answer = post(example.handoff_url, event("registration.updated", sequence=2))

    assert answer.json()["reference"].startswith("juniper-lark-")


def test_a_subscription_is_added_to_the_account_of_another(example: ExampleProduct) -> None:
    first = post(example.handoff_url, event())

    account = {"wish": "add", "subscription_id": foyer.SUBSCRIPTION["id"]}
    added = post(example.handoff_url, event(registration=GRACE, account=account, **OTHER))

    assert added.json() == first.json()
    assert [member.name for member in example.tenants[-1].members] == ["Ada Lovelace", "Grace Hopper"]

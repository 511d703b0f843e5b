"""Mails to the seller: what each says."""

from dataclasses import replace
from typing import Any

import pytest

from app.mail import message
from app.services.delivery import mail_templates
from tests.support.mail_examples import (
    CONTEXT,
    FAILED_HANDOFF,
    NO_ACCOUNT_REPLY,
    PRODUCT,
    REGISTRATION,
    SUBSCRIPTION,
    rendered_texts,
)


@pytest.mark.parametrize("address", ["ädä@acme.example", "ada@\u2488.example", "=?utf-8?q?ada?=@acme.example"])
def test_seller_mail_has_no_reply_to_for_an_unreachable_address(address: str) -> None:
    context = replace(CONTEXT, registration=replace(REGISTRATION, email=address))

    mail = mail_templates.compose("seller_registered", context)

    assert message.normalise(mail).reply_to is None
    assert all(
        "Reply to this email" not in text and address in text for text in rendered_texts("seller_registered", context)
    )
    assert "does not reach their address.\n\n" in mail.text


@pytest.mark.parametrize("status", ["active", "ended", "failed"])
@pytest.mark.parametrize(
    ("name", "expected"),
    [("seller_ended", "They must no longer have access."), ("seller_purchase_failed", "could not take the payment")],
)
def test_seller_mail_names_the_end_whatever_the_status_is_now(name: str, expected: str, status: Any) -> None:
    context = replace(CONTEXT, subscription=replace(SUBSCRIPTION, status=status))

    assert all(expected in text for text in rendered_texts(name, context))


@pytest.mark.parametrize(("pricing", "is_asked"), [("subscription", True), ("contract", False)])
def test_ending_mail_asks_for_the_last_usage_unless_it_is_a_contract(pricing: Any, is_asked: bool) -> None:
    context = replace(CONTEXT, product=replace(PRODUCT, pricing=pricing))

    assert all(("for an hour" in text) is is_asked for text in rendered_texts("seller_ending", context))


def test_seller_mail_without_registration_names_the_aws_account() -> None:
    context = replace(CONTEXT, registration=None)

    assert (
        mail_templates.compose("seller_activated", context).subject
        == "Access started: AWS account 012345678901 (Acme Insights)"
    )
    assert all(
        "No one has registered for this purchase yet." in text for text in rendered_texts("seller_activated", context)
    )


def test_failed_handoff_mail_says_how_to_resend_it() -> None:
    for text in rendered_texts("seller_handoff_failed"):
        assert f"foyer handoffs retry {FAILED_HANDOFF['id']}" in text
        assert "20 November 2026, 14:05 UTC" in text
        assert "registration.completed" in text


@pytest.mark.parametrize(
    ("account_request", "expected"),
    [
        (
            {"wish": "existing", "existing_account": "our team\nacme"},
            "use an account that they already have: our team acme",
        ),
        ({"wish": "existing"}, "they do not say which"),
        ({"wish": "add", "subscription_id": SUBSCRIPTION.id}, f"account of their subscription {SUBSCRIPTION.id}."),
    ],
)
def test_seller_mail_says_which_account_the_buyer_asks_for(account_request: dict[str, Any], expected: str) -> None:
    context = replace(CONTEXT, account=replace(NO_ACCOUNT_REPLY, **account_request))

    assert all(expected in text for text in rendered_texts("seller_registered", context))

"""Mails to buyers and their colleagues: what each says."""

from dataclasses import replace

import pytest

from app.services.delivery import mail_templates
from app.services.delivery.mail_templates import MailContext
from app.services.outbox.payload import Account
from tests.support.mail_examples import (
    ACCOUNT_REPLY,
    CONTEXT,
    LINK,
    NO_ACCOUNT_REPLY,
    PRODUCT,
    rendered_texts,
)


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (CONTEXT, "If it takes longer, we will contact you within two hours."),
        (
            replace(CONTEXT, product=replace(PRODUCT, handoff_url=None)),
            "We are setting up your account. We will contact you within two hours.",
        ),
        (replace(CONTEXT, account=ACCOUNT_REPLY), "Your account is ready."),
    ],
)
def test_registration_mail_says_what_happens_next_and_by_when(context: MailContext, expected: str) -> None:
    assert all(expected in text for text in rendered_texts("buyer_registered", context))
    assert f'href="{LINK}"' in mail_templates.compose("buyer_registered", context).html
    assert LINK in mail_templates.compose("buyer_registered", context).text


def test_registration_mail_repeats_the_answers_without_the_notes() -> None:
    for text in rendered_texts("buyer_registered"):
        answers = ("Juniper & Lark", "Ada Lovelace", "ada@gmail.com", "+1 (555) 010-0199")
        assert all(answer in text for answer in answers)
        assert "call" not in text


@pytest.mark.parametrize("account", [ACCOUNT_REPLY, NO_ACCOUNT_REPLY])
def test_access_mail_links_to_the_sign_in_page(account: Account) -> None:
    sign_in_url = "https://app.acme.example/login"

    mail = mail_templates.compose("buyer_access_began", replace(CONTEXT, account=account))

    assert sign_in_url in mail.text
    assert f'href="{sign_in_url}"' in mail.html
    assert "since 23 November 2026" in mail.text


def test_resume_mail_needs_no_product() -> None:
    mail = mail_templates.compose("buyer_resume", replace(CONTEXT, product=None, subscription=None, account=None))

    assert mail.subject == "One more step to set up your product"
    assert mail.reply_to is None
    assert LINK in mail.text
    assert f'href="{LINK}"' in mail.html
    assert "Manage subscriptions" in mail.text


def test_invitation_needs_no_product() -> None:
    mail = mail_templates.compose(
        "colleague_invited", replace(CONTEXT, product=None, registration=None, subscription=None)
    )

    assert mail.subject == "Please set up a product"
    assert "None" not in mail.html


def test_invitation_says_when_it_expires_and_that_it_is_free() -> None:
    for text in rendered_texts("colleague_invited", replace(CONTEXT, registration=None)):
        assert "Someone has bought Acme Insights on AWS Marketplace and has asked you to set it up" in text
        assert "until 30 November 2026, 14:05 UTC" in text
        assert "It is not a purchase" in text
    assert LINK in mail_templates.compose("colleague_invited", CONTEXT).text


def test_failed_purchase_mail_says_no_charge_and_how_to_try_again() -> None:
    mail = mail_templates.compose("buyer_purchase_failed", CONTEXT)

    assert mail.subject == "Your purchase of Acme Insights was not confirmed"
    for text in rendered_texts("buyer_purchase_failed"):
        assert "On 23 November 2026, AWS Marketplace told us" in text
        assert "it could not confirm your purchase of Acme Insights" in text
        assert "We have not charged you anything" in text
        assert "Manage subscriptions" in text
    for console in ("https://console.aws.amazon.com/billing/", "https://console.aws.amazon.com/marketplace/"):
        assert console in mail.text
        assert f'href="{console}"' in mail.html

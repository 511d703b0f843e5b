"""Mails: what all of them have in common, and to whom each goes."""

from dataclasses import replace

import pytest

from app.mail.message import MailRefused
from app.services.delivery import mail_templates
from app.services.delivery.mail_templates import MailContext
from tests.support.mail_examples import (
    ACCOUNT_REPLY,
    CONTEXT,
    FAILED_HANDOFF,
    LINK,
    PRODUCT,
    REGISTRATION,
    SUBSCRIPTION,
    TEMPLATE_NAMES,
    USAGE_PROBLEMS,
    rendered_html,
    rendered_texts,
)

BUYERS = [name for name in TEMPLATE_NAMES if name.startswith("buyer_")]
USAGE = ["seller_usage_problem", "seller_usage_setup"]
SELLERS = [name for name in TEMPLATE_NAMES if name.startswith("seller_") and name not in USAGE]


def test_every_announced_mail_has_a_template() -> None:
    assert sorted(TEMPLATE_NAMES) == [
        "buyer_access_began",
        "buyer_access_ended",
        "buyer_purchase_failed",
        "buyer_registered",
        "buyer_resume",
        "colleague_invited",
        "seller_activated",
        "seller_ended",
        "seller_ending",
        "seller_handoff_failed",
        "seller_purchase_failed",
        "seller_registered",
        "seller_usage_problem",
        "seller_usage_setup",
    ]


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_mail_is_strict_html_that_loads_and_runs_nothing(name: str) -> None:
    shown = rendered_html(name)

    assert [len(shown.query(selector)) for selector in ("h1", "title", "script", "img", "link", "form")] == [
        1,
        1,
        *[0] * 4,
    ]
    assert "url(" not in mail_templates.compose(name, CONTEXT).html
    [html] = shown.query("html")
    assert html.attrs == {"lang": "en", "dir": "ltr"}


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_mail_has_a_one_line_subject_and_no_stray_blank_lines(name: str) -> None:
    mail = mail_templates.compose(name, CONTEXT)

    assert mail.subject
    assert mail.subject.isprintable()
    assert "\n\n\n" not in mail.text
    assert not mail.text.startswith("\n")
    assert [line for line in mail.text.splitlines() if "{" in line or "None" in line] == []


@pytest.mark.parametrize("name", [*BUYERS, "colleague_invited"])
def test_mail_begins_with_a_capital_after_the_salutation(name: str) -> None:
    for context in (CONTEXT, replace(CONTEXT, account=ACCOUNT_REPLY)):
        salutation, first_paragraph = mail_templates.compose(name, context).text.split("\n\n")[:2]

        assert salutation.endswith(",")
        assert first_paragraph[0].isupper()


@pytest.mark.parametrize("name", BUYERS)
def test_buyer_mail_goes_to_the_buyer_and_replies_to_support(name: str) -> None:
    mail = mail_templates.compose(name, CONTEXT)

    assert (mail.to, mail.reply_to) == ("ada@gmail.com", "help@acme.example")
    assert mail.text.startswith("Hello Ada Lovelace,\n")
    assert all("help@acme.example" in text for text in rendered_texts(name))


@pytest.mark.parametrize("name", SELLERS)
@pytest.mark.parametrize(("notify", "to"), [("sales@acme.example", "sales@acme.example"), (None, "help@acme.example")])
def test_seller_mail_goes_to_notify_email_or_support(name: str, notify: str | None, to: str) -> None:
    product = replace(PRODUCT, notify_email=notify)

    mail = mail_templates.compose(name, replace(CONTEXT, product=product))

    assert (mail.to, mail.reply_to) == (to, "ada@gmail.com" if name == "seller_registered" else None)
    assert "\n\nCompany             Juniper & Lark\n" in mail.text
    assert all(f"subscriptions show {SUBSCRIPTION.id}" in text for text in rendered_texts(name))
    assert all(f"registrations show {REGISTRATION.id}" in text for text in rendered_texts(name))


@pytest.mark.parametrize("name", USAGE)
@pytest.mark.parametrize(("notify", "to"), [("sales@acme.example", "sales@acme.example"), (None, "help@acme.example")])
def test_usage_mail_goes_to_notify_email_or_support(name: str, notify: str | None, to: str) -> None:
    mail = mail_templates.compose(name, replace(CONTEXT, product=replace(PRODUCT, notify_email=notify)))

    assert (mail.to, mail.reply_to) == (to, None)


def test_invitation_goes_to_the_colleague() -> None:
    mail = mail_templates.compose("colleague_invited", CONTEXT)

    assert (mail.to, mail.reply_to) == ("bob@gmail.com", "help@acme.example")


@pytest.mark.parametrize("name", BUYERS)
def test_buyer_mail_without_registration_is_refused(name: str) -> None:
    with pytest.raises(MailRefused, match="NobodyToSendTo"):
        mail_templates.compose(name, replace(CONTEXT, registration=None))


@pytest.mark.parametrize("name", sorted({*TEMPLATE_NAMES} - mail_templates.PRODUCT_OPTIONAL))
def test_mail_about_a_removed_product_is_refused(name: str) -> None:
    with pytest.raises(MailRefused, match="UnknownProduct"):
        mail_templates.compose(name, replace(CONTEXT, product=None))


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_mail_leaves_out_what_is_unknown(name: str) -> None:
    context = MailContext(
        product=replace(PRODUCT, handoff_url=None),
        site_url="https://start.acme.example",
        happened_at=CONTEXT.happened_at,
        registration=replace(REGISTRATION, phone=None, notes=None),
        to="bob@gmail.com",
        link=LINK if name in {"buyer_resume", "colleague_invited"} else None,
        handoff=FAILED_HANDOFF,
        usage_problems=USAGE_PROBLEMS,
        usage_fault=CONTEXT.usage_fault,
    )

    assert all("None" not in text for text in rendered_texts(name, context))
    assert all(
        f"registrations show {REGISTRATION.id}" in text for text in rendered_texts(name, context) if name in SELLERS
    )

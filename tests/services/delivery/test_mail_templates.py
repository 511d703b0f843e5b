"""Letters: each says what it is for, to the right people."""

from dataclasses import replace
from typing import Any

import pytest

from app.mail import message
from app.mail.message import MailRefused
from app.services.delivery import mail_templates
from app.services.delivery.mail_templates import TEMPLATE_NAMES, MailContext
from app.services.outbox.payload import AccountOut
from tests.support.mail_examples import (
    ACCOUNT_REPLY,
    CONTEXT,
    FAILED_HANDOFF,
    LINK,
    NO_ACCOUNT_REPLY,
    PRODUCT,
    REGISTRATION,
    SUBSCRIPTION,
    rendered_html,
    rendered_texts,
)

BUYERS = [name for name in TEMPLATE_NAMES if name.startswith("buyer_")]
SELLERS = [name for name in TEMPLATE_NAMES if name.startswith("seller_")]


def test_every_letter_that_changes_promise_is_there() -> None:
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
    ]


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_every_letter_is_strict_html_that_fetches_and_runs_nothing(name: str) -> None:
    shown = rendered_html(name)

    assert [len(shown.query(selector)) for selector in ("h1", "title", "script", "img", "link", "form")] == [
        1,
        1,
        *[0] * 4,
    ]
    assert "url(" not in mail_templates.compose(name, CONTEXT).html
    [html] = shown.query("html")
    assert html.attrs == {"lang": "en"}


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_every_letter_has_one_line_for_its_subject_and_no_line_left_blank_by_a_template(name: str) -> None:
    mail = mail_templates.compose(name, CONTEXT)

    assert mail.subject
    assert mail.subject.isprintable()
    assert "\n\n\n" not in mail.text
    assert not mail.text.startswith("\n")
    assert [line for line in mail.text.splitlines() if "{" in line or "None" in line] == []


@pytest.mark.parametrize("name", BUYERS)
def test_a_buyers_letter_goes_to_the_address_in_the_registration_and_answers_to_support(name: str) -> None:
    mail = mail_templates.compose(name, CONTEXT)

    assert (mail.to, mail.reply_to) == ("ada@gmail.com", "help@acme.example")
    assert mail.text.startswith("Hello Ada Lovelace,\n")
    assert all("help@acme.example" in said for said in rendered_texts(name))


@pytest.mark.parametrize("name", SELLERS)
@pytest.mark.parametrize(("notify", "to"), [("sales@acme.example", "sales@acme.example"), (None, "help@acme.example")])
def test_a_sellers_letter_goes_to_whom_the_product_names_or_to_support(name: str, notify: str | None, to: str) -> None:
    product = PRODUCT.model_copy(update={"notify_email": notify})

    mail = mail_templates.compose(name, replace(CONTEXT, product=product))

    assert (mail.to, mail.reply_to) == (to, "ada@gmail.com" if name == "seller_registered" else None)
    assert all(f"subscriptions show {SUBSCRIPTION.id}" in said for said in rendered_texts(name))
    assert all(f"registrations show {REGISTRATION.id}" in said for said in rendered_texts(name))


def test_a_colleagues_letter_goes_to_the_colleague() -> None:
    mail = mail_templates.compose("colleague_invited", CONTEXT)

    assert (mail.to, mail.reply_to) == ("bob@gmail.com", "help@acme.example")


@pytest.mark.parametrize("address", ["ädä@acme.example", "ada@\u2488.example", "=?utf-8?q?ada?=@acme.example"])
def test_the_seller_hears_of_a_buyer_whose_address_no_answer_can_be_led_to(address: str) -> None:
    about = replace(CONTEXT, registration=REGISTRATION.model_copy(update={"email": address}))

    mail = mail_templates.compose("seller_registered", about)

    assert message.normalise(mail).reply_to is None
    assert all(
        "Answer this mail" not in said and address in said for said in rendered_texts("seller_registered", about)
    )
    assert "does not reach their address.\n\n" in mail.text


@pytest.mark.parametrize("name", BUYERS)
def test_after_an_erasure_there_is_nobody_to_write_to(name: str) -> None:
    with pytest.raises(MailRefused, match="NobodyToSendTo"):
        mail_templates.compose(name, replace(CONTEXT, registration=None))


@pytest.mark.parametrize("name", sorted({*TEMPLATE_NAMES} - mail_templates.PRODUCT_OPTIONAL))
def test_a_product_that_is_not_sold_any_more_has_nobody_to_write_for_it(name: str) -> None:
    with pytest.raises(MailRefused, match="UnknownProduct"):
        mail_templates.compose(name, replace(CONTEXT, product=None))


@pytest.mark.parametrize(
    ("about", "said"),
    [
        (CONTEXT, "if it takes longer, you hear from us within two hours."),
        (
            replace(CONTEXT, product=PRODUCT.model_copy(update={"handoff_url": None})),
            "We set up your account now. You hear from us within two hours.",
        ),
        (replace(CONTEXT, account=ACCOUNT_REPLY), "Your account is ready."),
    ],
)
def test_a_buyer_hears_what_happens_next_and_by_when(about: MailContext, said: str) -> None:
    assert all(said in text for text in rendered_texts("buyer_registered", about))
    assert f'href="{LINK}"' in mail_templates.compose("buyer_registered", about).html
    assert LINK in mail_templates.compose("buyer_registered", about).text


def test_a_buyer_hears_what_was_registered_but_not_what_they_noted() -> None:
    for said in rendered_texts("buyer_registered"):
        assert all(
            answer in said for answer in ("Juniper & Lark", "Ada Lovelace", "ada@gmail.com", "+1 (555) 010-0199")
        )
        assert "call" not in said


@pytest.mark.parametrize("account", [ACCOUNT_REPLY, NO_ACCOUNT_REPLY])
def test_a_buyer_whose_access_began_finds_the_way_in(account: AccountOut) -> None:
    way_in = "https://app.acme.example/login"

    mail = mail_templates.compose("buyer_access_began", replace(CONTEXT, account=account))

    assert way_in in mail.text
    assert f'href="{way_in}"' in mail.html
    assert "since 23 November 2026" in mail.text


def test_a_buyer_comes_back_by_the_link_also_where_nobody_knows_the_product() -> None:
    mail = mail_templates.compose("buyer_resume", replace(CONTEXT, product=None, subscription=None, account=None))

    assert mail.subject == "One more press to set up your product"
    assert mail.reply_to is None
    assert LINK in mail.text
    assert f'href="{LINK}"' in mail.html
    assert "Manage subscriptions" in mail.text


def test_a_colleague_can_be_invited_where_nobody_knows_the_product() -> None:
    mail = mail_templates.compose(
        "colleague_invited", replace(CONTEXT, product=None, registration=None, subscription=None)
    )

    assert mail.subject == "Please set up your product"
    assert "None" not in mail.html


def test_a_colleague_hears_until_when_the_link_is_good_and_that_it_is_no_purchase() -> None:
    for said in rendered_texts("colleague_invited", replace(CONTEXT, registration=None)):
        assert "somebody has bought Acme Insights on AWS Marketplace and asks you to set it up" in said
        assert "until 30 November 2026, 14:05 UTC" in said
        assert "It is no purchase" in said
    assert LINK in mail_templates.compose("colleague_invited", CONTEXT).text


@pytest.mark.parametrize("status", ["active", "ended", "failed"])
@pytest.mark.parametrize(
    ("name", "said"),
    [("seller_ended", "They must not have access any more."), ("seller_purchase_failed", "could not take the payment")],
)
def test_the_seller_hears_whether_it_ended_or_could_not_be_paid_whatever_came_since(
    name: str, said: str, status: str
) -> None:
    about = replace(CONTEXT, subscription=SUBSCRIPTION.model_copy(update={"status": status}))

    assert all(said in text for text in rendered_texts(name, about))


def test_a_buyer_whose_purchase_failed_hears_that_they_paid_nothing_and_where_to_go_on() -> None:
    mail = mail_templates.compose("buyer_purchase_failed", CONTEXT)

    assert mail.subject == "Your purchase of Acme Insights is not confirmed"
    for said in rendered_texts("buyer_purchase_failed"):
        assert "told us on 23 November 2026 that it could not confirm your purchase of Acme Insights" in said
        assert "We have charged you nothing" in said
        assert "Manage subscriptions" in said
    for console in ("https://console.aws.amazon.com/billing/", "https://console.aws.amazon.com/marketplace/"):
        assert console in mail.text
        assert f'href="{console}"' in mail.html


@pytest.mark.parametrize(("pricing", "is_told"), [("subscription", True), ("contract", False)])
def test_the_seller_is_told_to_send_the_last_usage_where_usage_is_paid_for(pricing: str, is_told: bool) -> None:
    about = replace(CONTEXT, product=PRODUCT.model_copy(update={"pricing": pricing}))

    assert all(("for an hour" in text) is is_told for text in rendered_texts("seller_ending", about))


def test_the_seller_hears_of_a_purchase_that_nobody_has_registered_for() -> None:
    about = replace(CONTEXT, registration=None)

    assert (
        mail_templates.compose("seller_activated", about).subject
        == "AWS account 012345678901 has access to Acme Insights"
    )
    assert all("Nobody has registered for it yet." in said for said in rendered_texts("seller_activated", about))


def test_the_seller_hears_which_hand_off_failed_and_how_to_send_it_again() -> None:
    for said in rendered_texts("seller_handoff_failed"):
        assert f"flask --app wsgi handoffs retry {FAILED_HANDOFF.id}" in said
        assert "20 November 2026, 14:05 UTC" in said
        assert "registration.completed" in said


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"wish": "existing", "existing_account": "our team\nacme"}, "want it to be used: our team acme"),
        ({"wish": "existing"}, "they do not say which"),
        ({"wish": "add", "subscription_id": SUBSCRIPTION.id}, f"account of their subscription {SUBSCRIPTION.id}."),
    ],
)
def test_the_seller_hears_which_account_the_buyer_wants(wish: dict[str, Any], said: str) -> None:
    about = replace(CONTEXT, account=NO_ACCOUNT_REPLY.model_copy(update=wish))

    assert all(said in text for text in rendered_texts("seller_registered", about))


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_every_letter_can_be_written_where_little_is_known(name: str) -> None:
    little = MailContext(
        product=PRODUCT.model_copy(update={"handoff_url": None}),
        site_url="https://start.acme.example",
        happened_at=CONTEXT.happened_at,
        registration=REGISTRATION.model_copy(update={"phone": None, "notes": None}),
        to="bob@gmail.com",
        link=LINK if name in {"buyer_resume", "colleague_invited"} else None,
        handoff=FAILED_HANDOFF,
    )

    assert all("None" not in said for said in rendered_texts(name, little))
    assert all(
        f"registrations show {REGISTRATION.id}" in said for said in rendered_texts(name, little) if name in SELLERS
    )

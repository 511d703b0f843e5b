"""Mails: a buyer's text cannot change their markup, their lines or their headers."""

from dataclasses import replace

import pytest

from app.services.delivery import mail_templates
from tests.support.mail_examples import PRODUCT, TEMPLATE_NAMES, context_with, rendered_html

SCRIPT = "<script>alert(1)</script>"


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
@pytest.mark.parametrize("field", ["company", "full_name", "email", "phone", "notes"])
def test_buyers_text_is_escaped_in_html(name: str, field: str) -> None:
    html = rendered_html(name, context_with({field: f"{SCRIPT}\"'&"}))

    assert html.query("script") == []
    assert mail_templates.compose(name, context_with({field: SCRIPT})).html.count(SCRIPT) == 0


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
@pytest.mark.parametrize("field", ["company", "full_name", "phone"])
@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\u2028", "\x85", "\x0b"])
def test_buyers_text_cannot_break_a_line(name: str, field: str, break_: str) -> None:
    mail = mail_templates.compose(name, context_with({field: f"Ada{break_}Bcc: eve@evil.example"}))

    assert mail.subject.isprintable()
    assert [line for line in mail.text.splitlines() if line.startswith("Bcc:")] == []


def test_invisible_characters_are_removed_except_joiners() -> None:
    mail = mail_templates.compose(
        "seller_registered", context_with({"company": "Acme\u202e\x00\x1b[31m می\u200cخواهم"})
    )

    assert mail.subject == "New registration: Acme [31m می\u200cخواهم (Acme Insights)"


def test_notes_keep_their_lines_and_are_quoted() -> None:
    context = context_with({"notes": "Please call\r\n\r\nAWS account         999999999999\u2028after ten."})

    mail = mail_templates.compose("seller_registered", context)

    assert "  > Please call\n  > \n  > AWS account         999999999999\n  > after ten.\n" in mail.text


def test_pasted_table_keeps_its_columns_in_the_sellers_mail() -> None:
    context = context_with({"notes": "\tBasic\tPro\nSeats\t5\t25"})

    mail = mail_templates.compose("seller_registered", context)

    assert "  > \tBasic\tPro\n  > Seats\t5\t25\n" in mail.text
    assert 'white-space:pre-wrap">\tBasic\tPro\nSeats\t5\t25</dd>' in mail.html


@pytest.mark.parametrize(
    "name",
    ["evil.example", "http://evil", "Win now @ evil", "a。example", "a｡example", "a\u200c.example", "a.\u200dexample"],
)
def test_name_that_looks_like_a_link_is_left_out(name: str) -> None:
    invited = mail_templates.compose("colleague_invited", context_with({"company": name}))
    greeted = mail_templates.compose("buyer_registered", context_with({"full_name": name}))

    assert name not in invited.text
    assert name not in invited.html
    assert greeted.text.startswith("Hello,\n")


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("seller_registered", "New registration: "),
        ("seller_activated", "Access started: "),
        ("seller_ending", "Subscription cancelled: "),
        ("seller_ended", "Subscription ended: "),
        ("seller_purchase_failed", "Payment failed: "),
    ],
)
def test_subject_says_what_happened_before_a_long_company(name: str, beginning: str) -> None:
    subject = mail_templates.compose(name, context_with({"company": "ä" * 200})).subject

    assert subject == f"{beginning}{'ä' * (mail_templates.MAX_NAME_LENGTH - 1)}… (Acme Insights)"


def test_long_subject_is_cut() -> None:
    product = replace(PRODUCT, name="ä" * 200)

    mail = mail_templates.compose("seller_registered", context_with(product=product))

    assert len(mail.subject) == mail_templates.MAX_SUBJECT_LENGTH
    assert mail.subject.endswith("…")

"""Letters: nothing that a buyer types can bend one."""

import pytest

from app.services.delivery import mail_templates
from app.services.delivery.mail_templates import TEMPLATE_NAMES
from tests.support.mail_examples import context_with, rendered_html

SCRIPT = "<script>alert(1)</script>"


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
@pytest.mark.parametrize("field", ["company", "full_name", "email", "phone", "notes"])
def test_a_buyers_words_stay_words_in_html(name: str, field: str) -> None:
    shown = rendered_html(name, context_with({field: f"{SCRIPT}\"'&"}))

    assert shown.query("script") == []
    assert mail_templates.compose(name, context_with({field: SCRIPT})).html.count(SCRIPT) == 0


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
@pytest.mark.parametrize("field", ["company", "full_name", "phone"])
@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\u2028", "\x85", "\x0b"])
def test_a_buyers_words_break_no_line(name: str, field: str, break_: str) -> None:
    mail = mail_templates.compose(name, context_with({field: f"Ada{break_}Bcc: eve@evil.example"}))

    assert mail.subject.isprintable()
    assert [line for line in mail.text.splitlines() if line.startswith("Bcc:")] == []


def test_what_nobody_can_see_is_left_out_and_scripts_keep_their_joiners() -> None:
    mail = mail_templates.compose(
        "seller_registered", context_with({"company": "Acme\u202e\x00\x1b[31m می\u200cخواهم"})
    )

    assert mail.subject == "Acme [31m می\u200cخواهم registered for Acme Insights"


def test_notes_keep_their_lines_and_cannot_pass_for_the_letters_own() -> None:
    about = context_with({"notes": "Please call\r\n\r\nAWS account         999999999999\u2028after ten."})

    mail = mail_templates.compose("seller_registered", about)

    assert "  > Please call\n  > \n  > AWS account         999999999999\n  > after ten.\n" in mail.text


@pytest.mark.parametrize(
    "words",
    ["evil.example", "http://evil", "Win now @ evil", "a。example", "a｡example", "a\u200c.example", "a.\u200dexample"],
)
def test_who_types_anothers_address_does_not_send_them_a_link(words: str) -> None:
    invited = mail_templates.compose("colleague_invited", context_with({"company": words}))
    greeted = mail_templates.compose("buyer_registered", context_with({"full_name": words}))

    assert words not in invited.text
    assert words not in invited.html
    assert greeted.text.startswith("Hello,\n")


def test_a_long_company_does_not_make_a_long_subject() -> None:
    mail = mail_templates.compose("seller_registered", context_with({"company": "ä" * 200}))

    assert len(mail.subject) == mail_templates.MAX_SUBJECT_LENGTH
    assert mail.subject.endswith("…")

"""Words wider than a phone's screen are broken, and the page does not become wider than the screen."""

from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page

from app.services.delivery import mail_templates
from sandbox.inbox import SentMail
from sandbox.server import Sandbox
from tests.e2e.test_enter_pages import enter_steps
from tests.e2e.test_pages import PHONE
from tests.support.databases import on_sqlite
from tests.support.mail_examples import ACCOUNT_REPLY, CONTEXT, PRODUCT, REGISTRATION, TEMPLATE_NAMES
from tests.support.new_buyer import NewBuyer

LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
# The maximum length of an e-mail address.
ADDRESS = f"{'a' * 64}@{'b' * 60}.{'c' * 60}.example"


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    environment.setenv("PRODUCT_NAME", LONG_WORD)
    return environment


def width(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth"))


@on_sqlite
def test_pages_before_the_product_fit_a_phone(axe_page: Page, new_buyer: NewBuyer) -> None:
    for step in enter_steps(axe_page, new_buyer):
        assert width(axe_page) <= PHONE["width"], step


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_mails_fit_a_phone(axe_page: Page, name: str) -> None:
    answers: dict[str, Any] = {"company": LONG_WORD, "full_name": LONG_WORD, "email": ADDRESS, "notes": LONG_WORD * 2}
    context = replace(
        CONTEXT,
        product=replace(PRODUCT, name=LONG_WORD, support_email=ADDRESS),
        registration=replace(REGISTRATION, **answers),
        account=replace(ACCOUNT_REPLY, wish="existing", existing_account=LONG_WORD, url=f"https://a/{LONG_WORD}"),
    )
    axe_page.set_viewport_size(PHONE)

    axe_page.set_content(mail_templates.compose(name, context).html)

    assert width(axe_page) <= PHONE["width"]


def test_sandbox_inbox_fits_a_phone(axe_page: Page, sandbox: Sandbox) -> None:
    sandbox.marketplace.inbox.store(
        SentMail(
            sender="start@acme.example",
            to=[ADDRESS],
            reply_to=[],
            subject=f"Please set up {LONG_WORD}",
            text=LONG_WORD,
            html="<p></p>",
            headers={},
            tags={},
            configuration_set=None,
        )
    )
    axe_page.set_viewport_size(PHONE)

    for path in ("/inbox", "/inbox/1"):
        axe_page.goto(f"{sandbox.storefront_url}{path}")

        assert width(axe_page) <= PHONE["width"], path

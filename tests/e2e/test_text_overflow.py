"""Words that are longer than a phone is wide: they break, and the page stays as wide as the phone."""

from dataclasses import replace

import pytest
from playwright.sync_api import Page

from app.services.delivery import mail_templates
from sandbox.server import Sandbox
from tests.e2e.test_enter_pages import enter_steps
from tests.e2e.test_pages import PHONE
from tests.support.databases import on_sqlite
from tests.support.mail_examples import ACCOUNT_REPLY, CONTEXT, PRODUCT, REGISTRATION
from tests.support.new_buyer import NewBuyer

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
# As long as an address may be.
ADDRESS = f"{'a' * 64}@{'b' * 60}.{'c' * 60}.example"


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    environment.setenv("PRODUCT_NAME", LONG)
    return environment


def width(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth"))


@on_sqlite
def test_pages_on_the_way_in_stay_as_wide_as_a_phone(axe_page: Page, new_buyer: NewBuyer) -> None:
    for step in enter_steps(axe_page, new_buyer):
        assert width(axe_page) <= PHONE["width"], step


@pytest.mark.parametrize("name", mail_templates.TEMPLATE_NAMES)
def test_letters_stay_as_wide_as_a_phone(axe_page: Page, name: str) -> None:
    typed = {"company": LONG, "full_name": LONG, "email": ADDRESS, "notes": LONG * 2}
    about = replace(
        CONTEXT,
        product=PRODUCT.model_copy(update={"name": LONG, "support_email": ADDRESS}),
        registration=REGISTRATION.model_copy(update=typed),
        account=ACCOUNT_REPLY.model_copy(
            update={"wish": "existing", "existing_account": LONG, "url": f"https://a/{LONG}"}
        ),
    )
    axe_page.set_viewport_size(PHONE)

    axe_page.set_content(mail_templates.compose(name, about).html)

    assert width(axe_page) <= PHONE["width"]


def test_the_sandboxs_inbox_stays_as_wide_as_a_phone(axe_page: Page, sandbox: Sandbox) -> None:
    body = {"Text": {"Data": LONG}, "Html": {"Data": "<p></p>"}}
    message = {"Subject": {"Data": f"Please set up {LONG}"}, "Body": body}
    sandbox.marketplace.inbox.store(
        {
            "FromEmailAddress": "start@acme.example",
            "Destination": {"ToAddresses": [ADDRESS]},
            "Content": {"Simple": message},
        }
    )
    axe_page.set_viewport_size(PHONE)

    for path in ("/inbox", "/inbox/1"):
        axe_page.goto(f"{sandbox.storefront_url}{path}")

        assert width(axe_page) <= PHONE["width"], path

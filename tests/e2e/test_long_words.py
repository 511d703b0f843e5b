"""Words that are longer than a phone is wide: they break, and the page stays as wide as the phone."""

from dataclasses import replace

import pytest
from playwright.sync_api import Page

from app.services.delivery import mail_templates
from sandbox.server import Sandbox
from tests.databases import on_sqlite
from tests.e2e.test_pages import PHONE
from tests.e2e.test_way_pages import walked
from tests.letters import ACCOUNT, FACTS, PRODUCT, REGISTRATION
from tests.views.way import Newcomer

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
def test_pages_on_the_way_in_stay_as_wide_as_a_phone(auditor: Page, newcomer: Newcomer) -> None:
    for step in walked(auditor, newcomer):
        assert width(auditor) <= PHONE["width"], step


@pytest.mark.parametrize("name", mail_templates.NAMES)
def test_letters_stay_as_wide_as_a_phone(auditor: Page, name: str) -> None:
    typed = {"company": LONG, "full_name": LONG, "email": ADDRESS, "notes": LONG * 2}
    about = replace(
        FACTS,
        product=PRODUCT.model_copy(update={"name": LONG, "support_email": ADDRESS}),
        registration=REGISTRATION.model_copy(update=typed),
        account=ACCOUNT.model_copy(update={"wish": "existing", "existing_account": LONG, "url": f"https://a/{LONG}"}),
    )
    auditor.set_viewport_size(PHONE)

    auditor.set_content(mail_templates.compose(name, about).html)

    assert width(auditor) <= PHONE["width"]


def test_the_sandboxs_inbox_stays_as_wide_as_a_phone(auditor: Page, sandbox: Sandbox) -> None:
    body = {"Text": {"Data": LONG}, "Html": {"Data": "<p></p>"}}
    message = {"Subject": {"Data": f"Please set up {LONG}"}, "Body": body}
    sandbox.world.inbox.take(
        {
            "FromEmailAddress": "start@acme.example",
            "Destination": {"ToAddresses": [ADDRESS]},
            "Content": {"Simple": message},
        }
    )
    auditor.set_viewport_size(PHONE)

    for path in ("/inbox", "/inbox/1"):
        auditor.goto(f"{sandbox.storefront_url}{path}")

        assert width(auditor) <= PHONE["width"], path

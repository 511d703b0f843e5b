"""Every page between the form and the product, checked by axe (WCAG 2.2 AA) and for its width on a phone."""

import re
from collections.abc import Callable, Iterator

from playwright.sync_api import Page, Request, Route, expect
from werkzeug.urls import iri_to_uri

from tests.e2e.test_pages import PHONE, check_both_color_schemes, fulfill_from_app
from tests.support import longest_values
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.new_buyer import NewBuyer
from tests.support.page_checks import csrf_token

Step = Callable[[NewBuyer], str]
ACCOUNT_ID = "012345678901"


def account_question(buyer: NewBuyer) -> str:
    buyer.buy(account_id=ACCOUNT_ID)
    buyer.submit_form()
    buyer.deliver_handoffs(reference="juniper-7f3k")
    buyer.buy(account_id=ACCOUNT_ID)
    return "/signup"


def account_pending(buyer: NewBuyer) -> str:
    buyer.register()
    return "/welcome"


def account_ready(buyer: NewBuyer) -> str:
    buyer.register()
    buyer.deliver_handoffs(url="https://app.acme.example/t/juniper", reference="juniper-7f3k")
    return "/welcome"


def returning_buyer(buyer: NewBuyer) -> str:
    path = account_ready(buyer)
    buyer.client.get("/enter")
    return path


def account_refused(buyer: NewBuyer) -> str:
    buyer.register(account="existing", existing_account="acme-production@juniper-and-lark.example")
    buyer.deliver_handoffs(refused="not_found")
    return "/welcome"


def manual_account(buyer: NewBuyer) -> str:
    buyer.register()
    buyer.deliver_handoffs(410)
    return "/welcome"


def invitation_form(buyer: NewBuyer) -> str:
    buyer.buy()
    return "/invite"


def invitation_sent(buyer: NewBuyer) -> str:
    path = invitation_form(buyer)
    form = buyer.client.get(path).text
    buyer.client.post(path, data={"email": "grace@juniper.example", "csrf_token": csrf_token(form)})
    return path


def invitation_page(buyer: NewBuyer) -> str:
    page = buyer.client.get(invitation_sent(buyer)).text
    [path] = re.findall(r"https://start\.acme\.example(/invitation/[\w-]+)", page)[:1]
    return str(path)


def expired_invitation(buyer: NewBuyer) -> str:
    return "/invitation/gAAAAAB"


STEPS: list[Step] = [
    account_question,
    account_pending,
    account_ready,
    returning_buyer,
    account_refused,
    manual_account,
    invitation_form,
    invitation_sent,
    invitation_page,
    expired_invitation,
]


def enter_steps(page: Page, buyer: NewBuyer) -> Iterator[str]:
    """Open each page at the size of a phone, and yield the name of its step."""
    page.set_viewport_size(PHONE)
    page.route("**/*", lambda route: fulfill_from_app(route, buyer.client))
    for step in STEPS:
        page.goto(f"http://localhost{step(buyer)}")
        yield step.__name__


@on_sqlite
def test_every_page_before_the_product_is_accessible(axe_page: Page, new_buyer: NewBuyer) -> None:
    for _ in enter_steps(axe_page, new_buyer):
        check_both_color_schemes(axe_page)
    with time_passes(minutes=5):
        new_buyer.register()
        new_buyer.deliver_handoffs(503)
    axe_page.goto("http://localhost/welcome")
    check_both_color_schemes(axe_page)


@on_sqlite
def test_account_name_is_asked_only_for_an_existing_account(axe_page: Page, new_buyer: NewBuyer) -> None:
    new_buyer.buy()
    axe_page.route("**/*", lambda route: fulfill_from_app(route, new_buyer.client))

    axe_page.goto("http://localhost/signup")
    is_visible_at_first = axe_page.get_by_label("Which account?").is_visible()
    axe_page.get_by_label("Use an account I already have").check()

    assert (is_visible_at_first, axe_page.get_by_label("Which account?").is_visible()) == (False, True)


@on_sqlite
def test_account_url_too_long_for_a_redirect_opens_by_itself(buyer_page: Page, new_buyer: NewBuyer) -> None:
    account_url = f"https://app.acme.example/{longest_values.text(2000)}/日本/it's?a=1&b=2"
    new_buyer.register()
    new_buyer.deliver_handoffs(url=account_url, reference=longest_values.REFERENCE)
    opened: list[Request] = []

    def open_product(route: Route) -> None:
        opened.append(route.request)
        route.fulfill(body="inside")

    buyer_page.route("**/*", lambda route: fulfill_from_app(route, new_buyer.client))
    buyer_page.route("https://app.acme.example/**", open_product)
    buyer_page.goto("http://localhost/enter")

    expect(buyer_page.get_by_text("inside")).to_be_visible()
    assert opened[0].url.startswith(f"{iri_to_uri(account_url)}&foyer_assertion=")
    assert "referer" not in opened[0].headers
    assert len(opened) == 1

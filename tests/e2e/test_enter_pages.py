"""Every page between the form and the product, checked by axe (WCAG 2.2 AA) and for its width on a phone."""

import re
from collections.abc import Callable, Iterator

from flask.testing import FlaskClient
from playwright.sync_api import Page, Request, Route, expect
from werkzeug.urls import iri_to_uri

from tests.e2e.test_pages import PHONE, check_both_color_schemes, fulfill_from_app
from tests.support import longest_values
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS
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
    send_form(buyer.client, path, email="grace@juniper.example")
    return path


def invitation_page(buyer: NewBuyer) -> str:
    return link_on(buyer.client.get(invitation_sent(buyer)).text)


def accepted_invitation(buyer: NewBuyer) -> str:
    send_form(buyer.client.application.test_client(), invitation_page(buyer))
    send_form(buyer.client, "/invite", email="joan@juniper.example")
    return "/invite"


def registered_by_colleague(buyer: NewBuyer) -> str:
    colleague = buyer.client.application.test_client()
    send_form(colleague, invitation_page(buyer))
    send_form(colleague, "/signup", **ANSWERS)
    return "/invite"


def revoked_invitation(buyer: NewBuyer) -> str:
    path = accepted_invitation(buyer)
    revoke_latest(buyer.client)
    return path


def last_invitation_revoked(buyer: NewBuyer) -> str:
    path = registered_by_colleague(buyer)
    revoke_latest(buyer.client)
    return path


def stale_revocation(buyer: NewBuyer) -> str:
    path = accepted_invitation(buyer)
    revoke_latest(buyer.client, csrf_token="stale")
    return path


def signed_out_colleague(buyer: NewBuyer) -> str:
    purchaser = buyer.land_in_other_browser(buyer.buy())
    send_form(purchaser, "/invite", email="grace@juniper.example")
    send_form(buyer.client, link_on(purchaser.get("/invite").text))
    revoke_latest(purchaser)
    return "/signup"


def expired_invitation(buyer: NewBuyer) -> str:
    return "/invitation/gAAAAAB"


def send_form(client: FlaskClient, path: str, **fields: str) -> None:
    """Send the form of the page, which must be accepted."""
    form = {"csrf_token": csrf_token(client.get(path).text), **fields}
    assert client.post(path, data=form).status_code == 303


def link_on(page: str) -> str:
    """Return the path of the invitation that the page shows to be passed on."""
    [path] = re.findall(r"https://start\.acme\.example(/invitation/[\w-]+)", page)[:1]
    return str(path)


def revoke_latest(client: FlaskClient, **fields: str) -> None:
    """Press the last button of the page of invitations."""
    page = client.get("/invite").text
    path = re.findall(r'action="(/invite/[^"]+/revoke)"', page)[-1]
    assert client.post(path, data={"csrf_token": csrf_token(page), **fields}).status_code == 303


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
    accepted_invitation,
    registered_by_colleague,
    revoked_invitation,
    last_invitation_revoked,
    stale_revocation,
    signed_out_colleague,
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

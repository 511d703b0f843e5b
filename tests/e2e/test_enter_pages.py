"""Every page on the way into the product, judged by axe (WCAG 2.2 AA) and by its width on a phone."""

import re
from collections.abc import Callable, Iterator

from playwright.sync_api import Page

from tests.e2e.test_pages import PHONE, check_both_color_schemes, fulfill_from_app
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.new_buyer import NewBuyer
from tests.support.page_checks import csrf_token

Step = Callable[[NewBuyer], str]
ACCOUNT_ID = "012345678901"


def account_question(newcomer: NewBuyer) -> str:
    newcomer.buy(account_id=ACCOUNT_ID)
    newcomer.submit_form()
    newcomer.deliver_handoffs(reference="juniper-7f3k")
    newcomer.buy(account_id=ACCOUNT_ID)
    return "/signup"


def account_pending(newcomer: NewBuyer) -> str:
    newcomer.register()
    return "/welcome"


def account_ready(newcomer: NewBuyer) -> str:
    newcomer.register()
    newcomer.deliver_handoffs(url="https://app.acme.example/t/juniper", reference="juniper-7f3k")
    return "/welcome"


def returning_buyer(newcomer: NewBuyer) -> str:
    path = account_ready(newcomer)
    newcomer.client.get("/enter")
    return path


def account_refused(newcomer: NewBuyer) -> str:
    newcomer.register(account="existing", existing_account="acme-production@juniper-and-lark.example")
    newcomer.deliver_handoffs(refused="not_found")
    return "/welcome"


def manual_account(newcomer: NewBuyer) -> str:
    newcomer.register()
    newcomer.deliver_handoffs(410)
    return "/welcome"


def invitation_form(newcomer: NewBuyer) -> str:
    newcomer.buy()
    return "/invite"


def invitation_sent(newcomer: NewBuyer) -> str:
    path = invitation_form(newcomer)
    form = newcomer.client.get(path).text
    newcomer.client.post(path, data={"email": "grace@juniper.example", "csrf_token": csrf_token(form)})
    return path


def invitation_page(newcomer: NewBuyer) -> str:
    page = newcomer.client.get(invitation_sent(newcomer)).text
    [path] = re.findall(r"https://start\.acme\.example(/invitation/[\w-]+)", page)[:1]
    return str(path)


def expired_invitation(newcomer: NewBuyer) -> str:
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


def enter_steps(page: Page, newcomer: NewBuyer) -> Iterator[str]:
    """Show each page on the way in as a phone does, and give the name of its step."""
    page.set_viewport_size(PHONE)
    page.route("**/*", lambda route: fulfill_from_app(route, newcomer.client))
    for step in STEPS:
        page.goto(f"http://localhost{step(newcomer)}")
        yield step.__name__


@on_sqlite
def test_every_page_on_the_way_in_is_accessible(axe_page: Page, new_buyer: NewBuyer) -> None:
    for _ in enter_steps(axe_page, new_buyer):
        check_both_color_schemes(axe_page)
    with time_passes(minutes=5):
        new_buyer.register()
        new_buyer.deliver_handoffs(503)
    axe_page.goto("http://localhost/welcome")
    check_both_color_schemes(axe_page)


@on_sqlite
def test_which_account_it_is_is_asked_only_of_those_who_have_one(axe_page: Page, new_buyer: NewBuyer) -> None:
    new_buyer.buy()
    axe_page.route("**/*", lambda route: fulfill_from_app(route, new_buyer.client))

    axe_page.goto("http://localhost/signup")
    before = axe_page.get_by_label("Which account?").is_visible()
    axe_page.get_by_label("Use an account I already have").check()

    assert (before, axe_page.get_by_label("Which account?").is_visible()) == (False, True)

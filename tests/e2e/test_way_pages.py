"""Every page on the way into the product, judged by axe (WCAG 2.2 AA) and by its width on a phone."""

import re
from collections.abc import Callable, Iterator

from playwright.sync_api import Page

from tests.databases import on_sqlite
from tests.e2e.test_pages import PHONE, answer, judge_in_both_schemes
from tests.pages import csrf_token
from tests.views.way import Newcomer, later

Step = Callable[[Newcomer], str]
ACCOUNT_ID = "012345678901"


def asked_which_account(newcomer: Newcomer) -> str:
    newcomer.buys(account_id=ACCOUNT_ID)
    newcomer.sends()
    newcomer.is_handed_off(reference="juniper-7f3k")
    newcomer.buys(account_id=ACCOUNT_ID)
    return "/signup"


def waits(newcomer: Newcomer) -> str:
    newcomer.registers()
    return "/welcome"


def is_let_in(newcomer: Newcomer) -> str:
    newcomer.registers()
    newcomer.is_handed_off(url="https://app.acme.example/t/juniper", reference="juniper-7f3k")
    return "/welcome"


def comes_back(newcomer: Newcomer) -> str:
    path = is_let_in(newcomer)
    newcomer.client.get("/enter")
    return path


def is_refused(newcomer: Newcomer) -> str:
    newcomer.registers(account="existing", existing_account="acme-production@juniper-and-lark.example")
    newcomer.is_handed_off(refused="not_found")
    return "/welcome"


def is_done_by_hand(newcomer: Newcomer) -> str:
    newcomer.registers()
    newcomer.is_handed_off(410)
    return "/welcome"


def is_about_to_invite(newcomer: Newcomer) -> str:
    newcomer.buys()
    return "/invite"


def has_invited(newcomer: Newcomer) -> str:
    path = is_about_to_invite(newcomer)
    form = newcomer.client.get(path).text
    newcomer.client.post(path, data={"email": "grace@juniper.example", "csrf_token": csrf_token(form)})
    return path


def is_invited(newcomer: Newcomer) -> str:
    page = newcomer.client.get(has_invited(newcomer)).text
    [path] = re.findall(r"https://start\.acme\.example(/invitation/[\w-]+)", page)[:1]
    return str(path)


def has_come_too_late(newcomer: Newcomer) -> str:
    return "/invitation/gAAAAAB"


STEPS: list[Step] = [
    asked_which_account,
    waits,
    is_let_in,
    comes_back,
    is_refused,
    is_done_by_hand,
    is_about_to_invite,
    has_invited,
    is_invited,
    has_come_too_late,
]


def walked(page: Page, newcomer: Newcomer) -> Iterator[str]:
    """Show each page on the way in as a phone does, and give the name of its step."""
    page.set_viewport_size(PHONE)
    page.route("**/*", lambda route: answer(route, newcomer.client))
    for step in STEPS:
        page.goto(f"http://localhost{step(newcomer)}")
        yield step.__name__


@on_sqlite
def test_every_page_on_the_way_in_is_accessible(auditor: Page, newcomer: Newcomer) -> None:
    for _ in walked(auditor, newcomer):
        judge_in_both_schemes(auditor)
    with later(minutes=5):
        newcomer.registers()
        newcomer.is_handed_off(503)
    auditor.goto("http://localhost/welcome")
    judge_in_both_schemes(auditor)


@on_sqlite
def test_which_account_it_is_is_asked_only_of_those_who_have_one(auditor: Page, newcomer: Newcomer) -> None:
    newcomer.buys()
    auditor.route("**/*", lambda route: answer(route, newcomer.client))

    auditor.goto("http://localhost/signup")
    before = auditor.get_by_label("Which account?").is_visible()
    auditor.get_by_label("Use an account I already have").check()

    assert (before, auditor.get_by_label("Which account?").is_visible()) == (False, True)

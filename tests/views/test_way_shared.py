"""The way in where several people, several tries and odd answers meet: nobody is stuck, and nobody is somebody else."""

import re
from urllib.parse import urlsplit

import pytest
from flask import Flask

from app.models import Registration, Subscription
from app.services.signup import erasure, product_url
from tests.databases import on_sqlite
from tests.factories import ANSWERS, TOKEN
from tests.pages import csrf_token
from tests.stored import stored
from tests.views import buyers
from tests.views.colleagues import invited, press
from tests.views.way import Newcomer, later

pytestmark = on_sqlite
URL = "https://app.acme.example/t/juniper"
ACCOUNT_ID = "012345678901"
BOB = {**ANSWERS, "full_name": "Bob Babbage", "email": "bob@gmail.com"}


def link_of(newcomer: Newcomer) -> str:
    [link] = re.findall(r'href="(/progress/[^"]+)"', newcomer.client.get("/welcome").text)
    return str(link)


def test_a_second_person_with_an_open_form_is_not_let_in_as_the_first(newcomer: Newcomer) -> None:
    purchase = newcomer.buys()
    other = newcomer.client.application.test_client()
    other.post("/", data={TOKEN: newcomer.sandbox.world.mint(purchase)})
    form = csrf_token(other.get("/signup").text)
    newcomer.sends()
    newcomer.is_handed_off(url=URL)

    refused = other.post("/signup", data={**BOB, "csrf_token": form})

    assert refused.status_code == 409
    assert other.get("/enter").headers["Location"] == "/welcome"
    assert newcomer.client.get("/enter").headers["Location"].startswith(URL)
    assert newcomer.product.types == ["registration.completed"]


def test_a_colleague_who_comes_after_the_registration_replaces_nothing(newcomer: Newcomer, app: Flask) -> None:
    newcomer.buys()
    _, link = invited(app)
    newcomer.sends()
    newcomer.is_handed_off(url=URL)
    colleague = app.test_client()
    press(colleague, link)

    shown = colleague.get("/signup")

    assert shown.headers["Location"] == "/welcome"
    assert colleague.get("/enter").headers["Location"] == "/welcome"


def test_the_same_answers_once_more_are_their_senders(newcomer: Newcomer) -> None:
    purchase = newcomer.buys()
    again = newcomer.client.application.test_client()
    again.post("/", data={TOKEN: newcomer.sandbox.world.mint(purchase)})
    form = csrf_token(again.get("/signup").text)
    newcomer.sends()

    sent = again.post("/signup", data={**ANSWERS, "csrf_token": form})

    assert sent.status_code == 303
    assert "Ada Lovelace" in again.get("/welcome").text


@pytest.mark.parametrize("answer", [{"refused": "not_found"}, {"status": 410}])
def test_who_comes_from_aws_again_after_a_refusal_gets_an_empty_form(
    newcomer: Newcomer, answer: dict[str, str | int]
) -> None:
    purchase = newcomer.registers(account="existing", existing_account="acme-7")
    newcomer.is_handed_off(**answer)  # type: ignore[arg-type]
    newcomer.client.post("/", data={TOKEN: newcomer.sandbox.world.mint(purchase)})

    form = newcomer.client.get("/signup?change=").text
    sent = newcomer.client.post("/signup", data={**BOB, "csrf_token": csrf_token(form)})
    newcomer.is_handed_off(url=URL)

    assert "Ada Lovelace" not in form
    assert sent.status_code == 303
    assert newcomer.client.get("/enter").headers["Location"].startswith(URL)


@pytest.mark.parametrize("answer", [{"refused": "confirmation_needed"}, {"status": 410}])
def test_asking_for_the_same_again_asks_the_product_again(newcomer: Newcomer, answer: dict[str, str | int]) -> None:
    newcomer.registers(account="existing", existing_account="acme-7")
    newcomer.is_handed_off(**answer)  # type: ignore[arg-type]

    newcomer.sends(account="existing", existing_account="acme-7")
    newcomer.is_handed_off(url=URL)

    assert newcomer.product.types == ["registration.completed", "registration.updated"]
    assert newcomer.refresh() == "1; url=/enter"


def test_who_asks_for_another_account_is_not_let_into_the_old_one_meanwhile(newcomer: Newcomer) -> None:
    newcomer.registers()
    newcomer.is_handed_off(url=URL, reference="juniper-1")

    newcomer.sends(account="existing", existing_account="acme-7")

    assert newcomer.refresh() == "2; url=/welcome"
    assert newcomer.client.get("/enter").headers["Location"] == "/welcome"


def test_who_corrects_a_phone_number_need_not_wait_for_the_product(newcomer: Newcomer) -> None:
    newcomer.registers()
    newcomer.is_handed_off(url=URL, reference="juniper-1")

    newcomer.sends(phone="+1 555 010 0000")

    assert newcomer.refresh() == "1; url=/enter"


def test_who_registers_after_an_erasure_is_not_let_into_the_others_account(newcomer: Newcomer, app: Flask) -> None:
    purchase = newcomer.registers()
    newcomer.is_handed_off(url=URL, reference="juniper-1")
    with app.app_context():
        erasure.erase(stored(app, Registration)[0].id, "operator:alice")
    newcomer.client.post("/", data={TOKEN: newcomer.sandbox.world.mint(purchase)})

    newcomer.sends(**BOB)

    assert newcomer.client.get("/enter").headers["Location"] == "/welcome"


@pytest.mark.parametrize(
    "url",
    [
        "https://[app.acme.example/x",
        "https://app.acme\u2100.example/x",
        "https://app..acme.example/x",
        "https://app.acme.example:99999/x",
        "https://app.acme.example:abc/x",
        f"https://{'a' * 64}.example/x",
        "https://\u202eexample/",
        "https://ada@app.acme.example/",
        "javascript:alert(1)",
        "/t/juniper",
    ],
)
def test_an_address_that_no_browser_opens_is_not_kept(newcomer: Newcomer, url: str) -> None:
    newcomer.registers()
    newcomer.is_handed_off(url=url, reference="juniper-1")

    location = newcomer.client.get("/enter").headers["Location"]

    assert location.startswith("https://app.acme.example/login?")


@pytest.mark.parametrize("query", ["next=%FF", "flag", "a=b;c=d", "sig=a%2Fb+c"])
def test_the_products_own_query_stays_as_it_is_spelt(newcomer: Newcomer, query: str) -> None:
    newcomer.registers()
    newcomer.is_handed_off(url=f"{URL}?{query}#there")

    location = urlsplit(newcomer.client.get("/enter").headers["Location"])

    assert location.query.startswith(f"{query}&{product_url.ASSERTION}=")
    assert location.fragment == "there"


def test_the_choice_of_another_purchases_account_outlives_its_registration(newcomer: Newcomer, app: Flask) -> None:
    newcomer.buys(account_id=ACCOUNT_ID)
    newcomer.sends()
    newcomer.is_handed_off(reference="juniper-1")
    first = str(stored(app, Subscription)[0].id)
    newcomer.buys(account_id=ACCOUNT_ID)
    newcomer.sends(account=first)
    with app.app_context():
        erasure.erase(next(r.id for r in stored(app, Registration) if r.account == "new"), "operator:alice")

    newcomer.sends(account=first, phone="+1 555 010 0000")

    [registration] = stored(app, Registration)
    assert (registration.account, registration.phone) == (first, "+1 555 010 0000")


def test_a_choice_that_is_not_offered_any_more_is_told_and_not_changed(newcomer: Newcomer) -> None:
    newcomer.buys()

    response = newcomer.sends(account="01a20686-2dc5-74cb-b9e2-45eb30daf053")

    assert response.status_code == 422
    assert "Choose one of these accounts." in response.text
    assert 'aria-describedby="account-error"' in response.text


def test_a_purchase_without_an_account_is_no_account_to_join(newcomer: Newcomer) -> None:
    newcomer.buys(account_id=ACCOUNT_ID)
    newcomer.sends(account="existing", existing_account="acme-7")
    newcomer.is_handed_off(refused="not_found")

    newcomer.buys(account_id=ACCOUNT_ID)

    assert "Add it to" not in newcomer.sees("/signup")


def test_the_link_leads_back_to_itself_and_does_not_renew_itself(newcomer: Newcomer) -> None:
    newcomer.registers()
    newcomer.is_handed_off(503)
    link = link_of(newcomer)
    elsewhere = newcomer.client.application.test_client()

    with later(hours=24):
        page = elsewhere.get(link).text

    assert f'<a href="{link}">look again</a>' in page
    assert set(re.findall(r'href="(/progress/[^"]+)"', page)) == {link}


def test_a_browser_that_is_never_let_in_is_not_told_that_it_is(newcomer: Newcomer) -> None:
    newcomer.registers()

    page = newcomer.client.application.test_client().get(link_of(newcomer)).text

    assert "takes you there by itself" not in page
    assert "this page then says so" in page


def test_after_a_while_the_page_looks_less_often(newcomer: Newcomer) -> None:
    newcomer.registers()

    with later(seconds=21):
        refresh = newcomer.refresh()

    assert refresh == "5; url=/welcome"


def test_a_purchase_that_gives_no_access_lets_nobody_in(newcomer: Newcomer) -> None:
    purchase = newcomer.registers()
    newcomer.is_handed_off(url=URL)
    buyers.Buyer(newcomer.client, purchase).is_told(buyers.DEPROVISIONED)

    assert newcomer.client.get("/enter").headers["Location"] == "/welcome"


def test_a_later_hand_off_that_was_taken_says_as_much(newcomer: Newcomer) -> None:
    purchase = newcomer.registers()
    newcomer.is_handed_off(410)
    buyers.Buyer(newcomer.client, purchase).is_told(buyers.UPDATED)
    newcomer.is_handed_off(url=URL)

    assert newcomer.refresh() == "1; url=/enter"


def test_once_somebody_has_registered_nobody_is_invited(newcomer: Newcomer) -> None:
    newcomer.registers()

    assert newcomer.client.get("/invite").headers["Location"] == "/welcome"

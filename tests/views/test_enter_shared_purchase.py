"""The way in where several people, several tries and odd answers meet: nobody is stuck, and nobody is somebody else."""

import re
from urllib.parse import urlsplit

import pytest
from flask import Flask

from app.models import Registration, Subscription
from app.services.signup import erasure, progress
from tests.support import registered_buyer
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.new_buyer import NewBuyer, time_passes
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows
from tests.views.colleagues import accept_invitation, create_invitation

pytestmark = on_sqlite
URL = "https://app.acme.example/t/juniper"
ACCOUNT_ID = "012345678901"
BOB = {**ANSWERS, "full_name": "Bob Babbage", "email": "bob@gmail.com"}


def link_of(newcomer: NewBuyer) -> str:
    [link] = re.findall(r'href="(/progress/[^"]+)"', newcomer.client.get("/welcome").text)
    return str(link)


def test_second_person_with_open_form_is_refused(new_buyer: NewBuyer) -> None:
    purchase = new_buyer.buy()
    other = new_buyer.client.application.test_client()
    other.post("/", data={TOKEN_FIELD: new_buyer.sandbox.marketplace.mint_token(purchase)})
    form = csrf_token(other.get("/signup").text)
    new_buyer.submit_form()
    new_buyer.deliver_handoffs(url=URL)

    refused = other.post("/signup", data={**BOB, "csrf_token": form})

    assert refused.status_code == 409
    assert other.get("/enter").headers["Location"] == "/welcome"
    assert new_buyer.client.get("/enter").headers["Location"].startswith(URL)
    assert new_buyer.product.event_types == ["registration.completed"]


def test_late_colleague_cannot_enter_or_replace(new_buyer: NewBuyer, app: Flask) -> None:
    new_buyer.buy()
    _, link = create_invitation(app)
    new_buyer.submit_form()
    new_buyer.deliver_handoffs(url=URL)
    colleague = app.test_client()
    accept_invitation(colleague, link)

    shown = colleague.get("/signup")

    assert shown.headers["Location"] == "/welcome"
    assert colleague.get("/enter").headers["Location"] == "/welcome"


def test_identical_answers_are_accepted_from_another_browser(new_buyer: NewBuyer) -> None:
    purchase = new_buyer.buy()
    again = new_buyer.client.application.test_client()
    again.post("/", data={TOKEN_FIELD: new_buyer.sandbox.marketplace.mint_token(purchase)})
    form = csrf_token(again.get("/signup").text)
    new_buyer.submit_form()

    sent = again.post("/signup", data={**ANSWERS, "csrf_token": form})

    assert sent.status_code == 303
    assert "Ada Lovelace" in again.get("/welcome").text


@pytest.mark.parametrize("answer", [{"refused": "not_found"}, {"status": 410}])
def test_landing_after_refusal_shows_empty_form(new_buyer: NewBuyer, answer: dict[str, str | int]) -> None:
    purchase = new_buyer.register(account="existing", existing_account="acme-7")
    new_buyer.deliver_handoffs(**answer)  # type: ignore[arg-type]
    new_buyer.client.post("/", data={TOKEN_FIELD: new_buyer.sandbox.marketplace.mint_token(purchase)})

    form = new_buyer.client.get("/signup?change=").text
    sent = new_buyer.client.post("/signup", data={**BOB, "csrf_token": csrf_token(form)})
    new_buyer.deliver_handoffs(url=URL)

    assert "Ada Lovelace" not in form
    assert sent.status_code == 303
    assert new_buyer.client.get("/enter").headers["Location"].startswith(URL)


@pytest.mark.parametrize("answer", [{"refused": "confirmation_needed"}, {"status": 410}])
def test_repeated_account_request_asks_product_again(new_buyer: NewBuyer, answer: dict[str, str | int]) -> None:
    new_buyer.register(account="existing", existing_account="acme-7")
    new_buyer.deliver_handoffs(**answer)  # type: ignore[arg-type]

    new_buyer.submit_form(account="existing", existing_account="acme-7")
    new_buyer.deliver_handoffs(url=URL)

    assert new_buyer.product.event_types == ["registration.completed", "registration.updated"]
    assert new_buyer.refresh_header() == "1; url=/enter"


def test_pending_account_change_blocks_entry(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs(url=URL, reference="juniper-1")

    new_buyer.submit_form(account="existing", existing_account="acme-7")

    assert new_buyer.refresh_header() == "2; url=/welcome"
    assert new_buyer.client.get("/enter").headers["Location"] == "/welcome"


def test_phone_change_does_not_block_entry(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs(url=URL, reference="juniper-1")

    new_buyer.submit_form(phone="+1 555 010 0000")

    assert new_buyer.refresh_header() == "1; url=/enter"


def test_registration_after_erasure_cannot_enter_old_account(new_buyer: NewBuyer, app: Flask) -> None:
    purchase = new_buyer.register()
    new_buyer.deliver_handoffs(url=URL, reference="juniper-1")
    with app.app_context():
        erasure.erase(all_rows(app, Registration)[0].id, "operator:alice")
    new_buyer.client.post("/", data={TOKEN_FIELD: new_buyer.sandbox.marketplace.mint_token(purchase)})

    new_buyer.submit_form(**BOB)

    assert new_buyer.client.get("/enter").headers["Location"] == "/welcome"


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
def test_invalid_account_url_is_ignored(new_buyer: NewBuyer, url: str) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs(url=url, reference="juniper-1")

    location = new_buyer.client.get("/enter").headers["Location"]

    assert location.startswith("https://app.acme.example/login?")


@pytest.mark.parametrize("query", ["next=%FF", "flag", "a=b;c=d", "sig=a%2Fb+c"])
def test_account_url_query_is_unchanged(new_buyer: NewBuyer, query: str) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs(url=f"{URL}?{query}#there")

    location = urlsplit(new_buyer.client.get("/enter").headers["Location"])

    assert location.query.startswith(f"{query}&{progress.QUERY_PARAMETER}=")
    assert location.fragment == "there"


def test_account_choice_outlives_erased_registration(new_buyer: NewBuyer, app: Flask) -> None:
    new_buyer.buy(account_id=ACCOUNT_ID)
    new_buyer.submit_form()
    new_buyer.deliver_handoffs(reference="juniper-1")
    first = str(all_rows(app, Subscription)[0].id)
    new_buyer.buy(account_id=ACCOUNT_ID)
    new_buyer.submit_form(account=first)
    with app.app_context():
        erasure.erase(next(r.id for r in all_rows(app, Registration) if r.account == "new"), "operator:alice")

    new_buyer.submit_form(account=first, phone="+1 555 010 0000")

    [registration] = all_rows(app, Registration)
    assert (registration.account, registration.phone) == (first, "+1 555 010 0000")


def test_account_that_is_not_offered_is_rejected(new_buyer: NewBuyer) -> None:
    new_buyer.buy()

    response = new_buyer.submit_form(account="01a20686-2dc5-74cb-b9e2-45eb30daf053")

    assert response.status_code == 422
    assert "Choose one of these accounts." in response.text
    assert 'aria-describedby="account-error"' in response.text


def test_purchase_without_account_is_not_offered(new_buyer: NewBuyer) -> None:
    new_buyer.buy(account_id=ACCOUNT_ID)
    new_buyer.submit_form(account="existing", existing_account="acme-7")
    new_buyer.deliver_handoffs(refused="not_found")

    new_buyer.buy(account_id=ACCOUNT_ID)

    assert "Add it to" not in new_buyer.page_text("/signup")


def test_progress_page_links_to_itself_without_renewal(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs(503)
    link = link_of(new_buyer)
    elsewhere = new_buyer.client.application.test_client()

    with time_passes(hours=24):
        page = elsewhere.get(link).text

    assert f'<a href="{link}">check again</a>' in page
    assert set(re.findall(r'href="(/progress/[^"]+)"', page)) == {link}


def test_progress_page_does_not_promise_entry(new_buyer: NewBuyer) -> None:
    new_buyer.register()

    page = new_buyer.client.application.test_client().get(link_of(new_buyer)).text

    assert "We will take you there" not in page
    assert "This page will tell you when it is ready" in page


def test_refresh_slows_after_twenty_seconds(new_buyer: NewBuyer) -> None:
    new_buyer.register()

    with time_passes(seconds=21):
        refresh = new_buyer.refresh_header()

    assert refresh == "5; url=/welcome"


def test_ended_purchase_cannot_enter(new_buyer: NewBuyer) -> None:
    purchase = new_buyer.register()
    new_buyer.deliver_handoffs(url=URL)
    registered_buyer.RegisteredBuyer(new_buyer.client, purchase).receive_event(registered_buyer.LICENSE_DEPROVISIONED)

    assert new_buyer.client.get("/enter").headers["Location"] == "/welcome"


def test_later_delivered_handoff_makes_account_ready(new_buyer: NewBuyer) -> None:
    purchase = new_buyer.register()
    new_buyer.deliver_handoffs(410)
    registered_buyer.RegisteredBuyer(new_buyer.client, purchase).receive_event(registered_buyer.LICENSE_UPDATED)
    new_buyer.deliver_handoffs(url=URL)

    assert new_buyer.refresh_header() == "1; url=/enter"


def test_registered_purchase_cannot_invite(new_buyer: NewBuyer) -> None:
    new_buyer.register()

    assert new_buyer.client.get("/invite").headers["Location"] == "/welcome"

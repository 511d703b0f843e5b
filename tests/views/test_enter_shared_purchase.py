"""Entering the product when several people share a purchase, or the product sends unusual replies."""

from urllib.parse import urlsplit

import pytest
from flask import Flask

from app.models import Registration
from app.services.signup import erasure, progress
from tests.support import aws_events, registered_buyer
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.new_buyer import NewBuyer
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows
from tests.views.colleagues import accept_invitation, create_invitation

pytestmark = on_sqlite
URL = "https://app.acme.example/t/juniper"
BOB = {**ANSWERS, "full_name": "Bob Babbage", "email": "bob@gmail.com"}


def test_second_person_with_open_form_is_refused(new_buyer: NewBuyer) -> None:
    purchase = new_buyer.buy()
    other = new_buyer.land_in_other_browser(purchase)
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


def test_identical_answers_of_another_browser_prove_nothing(new_buyer: NewBuyer) -> None:
    purchase = new_buyer.buy()
    again = new_buyer.land_in_other_browser(purchase)
    form = csrf_token(again.get("/signup").text)
    new_buyer.submit_form()

    sent = again.post("/signup", data={**ANSWERS, "csrf_token": form})

    assert sent.status_code == 409
    assert "Ada Lovelace" not in again.get("/welcome").text


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


def test_ended_purchase_cannot_enter(new_buyer: NewBuyer) -> None:
    purchase = new_buyer.register()
    new_buyer.deliver_handoffs(url=URL)
    registered_buyer.RegisteredBuyer(new_buyer.client, purchase).receive_event(aws_events.LICENSE_DEPROVISIONED)

    assert new_buyer.client.get("/enter").headers["Location"] == "/welcome"


def test_later_delivered_handoff_makes_account_ready(new_buyer: NewBuyer) -> None:
    purchase = new_buyer.register()
    new_buyer.deliver_handoffs(410)
    registered_buyer.RegisteredBuyer(new_buyer.client, purchase).receive_event(aws_events.LICENSE_UPDATED)
    new_buyer.deliver_handoffs(url=URL)

    assert new_buyer.refresh_header() == "1; url=/enter"

"""Entering an existing account: no later change takes it away, or gives it to another person."""

import pytest
import time_machine

from tests.support import aws_events, factories, registered_buyer
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.new_buyer import NewBuyer
from tests.support.page_checks import csrf_token

pytestmark = on_sqlite
URL = "https://app.acme.example/t/juniper"
BOB = {**ANSWERS, "full_name": "Bob Babbage", "email": "bob@gmail.com"}


@pytest.mark.parametrize("first", [{"url": URL, "reference": "juniper-1"}, {}])
@pytest.mark.parametrize("answer", [{"refused": "not_found"}, {"status": 410}])
def test_owners_refused_request_does_not_free_the_account(
    new_buyer: NewBuyer, first: dict[str, str], answer: dict[str, str | int]
) -> None:
    purchase = new_buyer.register()
    new_buyer.deliver_handoffs(**first)  # type: ignore[arg-type]
    colleague = new_buyer.land_in_other_browser(purchase)
    form = csrf_token(new_buyer.client.get("/signup?change=").text)
    new_buyer.submit_form(account="existing", existing_account="acme-7")
    new_buyer.deliver_handoffs(**answer)  # type: ignore[arg-type]

    shown = colleague.get("/signup?change=")
    sent = colleague.post("/signup", data={**BOB, "csrf_token": form})
    new_buyer.deliver_handoffs(url=URL, reference="juniper-1")

    assert shown.headers["Location"] == "/welcome"
    assert sent.status_code == 409
    assert colleague.get("/enter").headers["Location"] == "/welcome"


def test_other_browser_cannot_replace_unlinked_registration(new_buyer: NewBuyer) -> None:
    marketplace, other = new_buyer.sandbox.marketplace, new_buyer.client.application.test_client()
    token = marketplace.mint_token(marketplace.buy(factories.order()))
    marketplace.change_faults(aws_down=True)
    for browser in (new_buyer.client, other):
        browser.post("/", data={TOKEN_FIELD: token})
    form = csrf_token(other.get("/signup").text)
    new_buyer.submit_form()

    shown = other.get("/signup?change=")
    sent = other.post("/signup", data={**BOB, "csrf_token": form})

    assert shown.headers["Location"] == "/welcome"
    assert sent.status_code == 409


def test_other_browser_sees_sign_in_and_no_account_choice(new_buyer: NewBuyer) -> None:
    purchase = new_buyer.register()
    new_buyer.deliver_handoffs(url=URL, reference="juniper-1")
    new_buyer.submit_form(account="existing", existing_account="acme-7")
    new_buyer.deliver_handoffs(refused="not_found")

    page = new_buyer.land_in_other_browser(purchase).get("/welcome").text

    assert "Choose another account" not in page
    assert 'href="https://app.acme.example/login"' in page
    assert "Choose another account" in new_buyer.page_text()


def test_failed_phone_update_keeps_account_access(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs(url=URL, reference="juniper-1")
    new_buyer.submit_form(phone="+1 555 010 0000")

    new_buyer.deliver_handoffs(410)

    assert new_buyer.refresh_header() == "1; url=/enter"
    assert new_buyer.client.get("/enter").headers["Location"].startswith(URL)


def test_many_handoffs_keep_account_access(new_buyer: NewBuyer) -> None:
    purchase = new_buyer.register()
    new_buyer.deliver_handoffs(url=URL, reference="juniper-1")
    buyer = registered_buyer.RegisteredBuyer(new_buyer.client, purchase)
    for month in range(11):
        for kind, day in ((aws_events.LICENSE_DEPROVISIONED, 1), (aws_events.LICENSE_UPDATED, 2)):
            buyer.receive_event(kind, registered_buyer.NOW.replace(year=2027, month=month + 1, day=day))
    new_buyer.deliver_handoffs()

    location = new_buyer.client.get("/enter").headers["Location"]

    assert location.startswith(URL)


def test_double_click_stored_out_of_order_still_enters(new_buyer: NewBuyer) -> None:
    with time_passes(minutes=-1):
        new_buyer.buy()
    form = {**ANSWERS, "csrf_token": csrf_token(new_buyer.client.get("/signup").text)}
    first_press = new_buyer.client.application.test_client()
    session = new_buyer.client.get_cookie("session")
    assert session
    first_press.set_cookie(session.key, session.value)

    new_buyer.client.post("/signup", data=form)
    with time_passes(seconds=-1):
        first_press.post("/signup", data=form)
    new_buyer.deliver_handoffs(url=URL)

    assert new_buyer.product.event_types == ["registration.completed"]
    assert new_buyer.client.get("/enter").headers["Location"].startswith(URL)


def test_answers_with_equal_timestamps_belong_to_their_sender(new_buyer: NewBuyer) -> None:
    with time_machine.travel(registered_buyer.NOW, tick=False):
        purchase = new_buyer.register(account="existing", existing_account="acme-7")
        new_buyer.deliver_handoffs(refused="not_found")
        colleague = new_buyer.land_in_other_browser(purchase)
        form = csrf_token(colleague.get("/signup?change=").text)

        colleague.post("/signup", data={**BOB, "csrf_token": form})
        new_buyer.deliver_handoffs(url=URL)

        assert new_buyer.client.get("/enter").headers["Location"] == "/welcome"
        assert colleague.get("/enter").headers["Location"].startswith(URL)


def test_joined_account_replaces_the_earlier_url(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs(url=URL, reference="juniper-1")
    new_buyer.submit_form(account="existing", existing_account="acme-7")
    new_buyer.deliver_handoffs(reference="acme-7")

    location = new_buyer.client.get("/enter").headers["Location"]

    assert location.startswith("https://app.acme.example/login?")


def test_registration_before_handoffs_enters_later_account(
    new_buyer: NewBuyer,
) -> None:
    receivers = new_buyer.client.application.extensions["products"].handoff_endpoints
    endpoints = receivers.copy()
    receivers.clear()
    purchase = new_buyer.register()
    receivers.update(endpoints)
    buyer = registered_buyer.RegisteredBuyer(new_buyer.client, purchase)

    buyer.receive_event(aws_events.LICENSE_UPDATED)
    meanwhile = new_buyer.client.get("/enter").headers["Location"]
    new_buyer.deliver_handoffs(url=URL, reference="juniper-1")

    assert new_buyer.product.event_types == ["subscription.activated"]
    assert meanwhile == "/welcome"
    assert new_buyer.client.get("/enter").headers["Location"].startswith(URL)


def test_ready_account_shows_open_link(new_buyer: NewBuyer) -> None:
    purchase = new_buyer.register()
    new_buyer.deliver_handoffs(url=URL, reference="juniper-7f3k")
    new_buyer.client.get("/enter")
    registered_buyer.RegisteredBuyer(new_buyer.client, purchase).update_subscription(status="active")

    assert "Open Acme Insights and start using it." in new_buyer.page_text()

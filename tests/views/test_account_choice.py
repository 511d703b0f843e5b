"""The account that a buyer asks for: a new one, an existing one, or that of another purchase."""

import pytest
from flask import Flask

from app.models import Registration, Subscription
from app.services.signup import erasure
from tests.support.databases import on_sqlite
from tests.support.new_buyer import NewBuyer
from tests.support.stored_rows import all_rows

URL = "https://app.acme.example/t/juniper"
ACCOUNT_ID = "012345678901"


@on_sqlite
def test_new_choice_after_refusal_enters(new_buyer: NewBuyer) -> None:
    new_buyer.register(account="existing", existing_account="acme-7")
    new_buyer.deliver_handoffs(refused="not_found")

    new_buyer.submit_form(account="new")
    new_buyer.deliver_handoffs(url=URL)

    assert new_buyer.refresh_header() == "1; url=/enter"


@on_sqlite
def test_existing_account_requires_its_name(new_buyer: NewBuyer) -> None:
    new_buyer.buy()

    response = new_buyer.submit_form(account="existing", existing_account=" ")

    assert response.status_code == 422
    assert "Enter the account" in response.text


def test_second_license_can_join_first_account(new_buyer: NewBuyer) -> None:
    new_buyer.buy(account_id="012345678901")
    new_buyer.submit_form()
    new_buyer.deliver_handoffs(reference="juniper-1")
    first = new_buyer.product.deliveries[0]["data"]["subscription"]["id"]

    new_buyer.buy(account_id="012345678901")
    form = new_buyer.client.get("/signup").text
    new_buyer.submit_form(account=first)
    new_buyer.deliver_handoffs()

    assert "Add it to the account of Juniper &amp; Lark (juniper-1)" in form
    account = new_buyer.product.deliveries[-1]["data"]["account"]
    assert (account["wish"], account["subscription_id"]) == ("add", first)


@on_sqlite
def test_other_customers_account_is_not_offered_or_accepted(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs()
    first = new_buyer.product.deliveries[0]["data"]["subscription"]["id"]

    new_buyer.buy(account_id="999988887777")
    form = new_buyer.client.get("/signup").text
    new_buyer.submit_form(account=first)
    new_buyer.deliver_handoffs()

    assert "Add it to" not in form
    assert new_buyer.product.deliveries[-1]["data"]["account"]["wish"] == "new"


@on_sqlite
@pytest.mark.parametrize("answer", [{"refused": "confirmation_needed"}, {"status": 410}])
def test_repeated_account_request_asks_product_again(new_buyer: NewBuyer, answer: dict[str, str | int]) -> None:
    new_buyer.register(account="existing", existing_account="acme-7")
    new_buyer.deliver_handoffs(**answer)  # type: ignore[arg-type]

    new_buyer.submit_form(account="existing", existing_account="acme-7")
    new_buyer.deliver_handoffs(url=URL)

    assert new_buyer.product.event_types == ["registration.completed", "registration.updated"]
    assert new_buyer.refresh_header() == "1; url=/enter"


@on_sqlite
def test_pending_account_change_blocks_entry(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs(url=URL, reference="juniper-1")

    new_buyer.submit_form(account="existing", existing_account="acme-7")

    assert str(new_buyer.refresh_header()).endswith("; url=/welcome")
    assert new_buyer.client.get("/enter").headers["Location"] == "/welcome"


@on_sqlite
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


@on_sqlite
def test_account_that_is_not_offered_is_rejected(new_buyer: NewBuyer) -> None:
    new_buyer.buy()

    response = new_buyer.submit_form(account="01a20686-2dc5-74cb-b9e2-45eb30daf053")

    assert response.status_code == 422
    assert "Choose one of these accounts." in response.text
    assert 'aria-describedby="account-error"' in response.text


@on_sqlite
def test_purchase_without_account_is_not_offered(new_buyer: NewBuyer) -> None:
    new_buyer.buy(account_id=ACCOUNT_ID)
    new_buyer.submit_form(account="existing", existing_account="acme-7")
    new_buyer.deliver_handoffs(refused="not_found")

    new_buyer.buy(account_id=ACCOUNT_ID)

    assert "Add it to" not in new_buyer.page_text("/signup")

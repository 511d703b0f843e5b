"""Two people registered for one purchase, found later by a merge: neither can enter the other's account."""

from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert

from app.models import Account, Registration, Subscription
from app.services.events import merge
from app.services.signup import erasure, retry_pending
from tests.support import factories
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.new_buyer import NewBuyer
from tests.support.page_checks import csrf_token
from tests.support.personal_data import run_transaction
from tests.support.stored_rows import all_rows

pytestmark = on_sqlite
URL = "https://app.acme.example/t/"
# The product's replies that name no account.
NAMELESS: dict[str, dict[str, Any]] = {
    "made": {},
    "refused": {"refused": "not_found"},
    "not made": {"status": 410},
}


def enter_url(client: FlaskClient) -> str:
    """Return where /enter redirects to, without the query."""
    return str(client.get("/enter").headers["Location"].partition("?")[0])


def register(buyer: NewBuyer, client: FlaskClient, name: str, account: str) -> None:
    """Buy and register, and let the product make that account or send a reply that names none."""
    purchase = buyer.sandbox.marketplace.buy(factories.order())
    client.post("/", data={TOKEN_FIELD: buyer.sandbox.marketplace.mint_token(purchase)})
    form = csrf_token(client.get("/signup").text)
    client.post("/signup", data={**ANSWERS, "email": f"{name}@gmail.com", "csrf_token": form})
    buyer.deliver_handoffs(**NAMELESS.get(account, {"url": URL + account, "reference": account}))


def send_correction(client: FlaskClient, name: str) -> None:
    """Correct the phone number, so that these answers are the latest."""
    form = csrf_token(client.get("/signup?change=").text)
    client.post(
        "/signup",
        data={**ANSWERS, "email": f"{name}@gmail.com", "phone": "+1 555 010 0000", "csrf_token": form},
    )


@pytest.mark.parametrize(
    ("accounts", "urls"),
    [(("ada", "bob"), (URL + "ada", "/welcome")), (("not made", "bob"), ("/welcome", URL + "bob"))],
)
@pytest.mark.parametrize("last", ["ada", "bob"])
def test_merge_keeps_account_with_its_owner(
    new_buyer: NewBuyer, accounts: tuple[str, str], urls: tuple[str, str], last: str
) -> None:
    browsers = {"ada": new_buyer.client, "bob": new_buyer.client.application.test_client()}
    for (name, client), account in zip(browsers.items(), accounts, strict=True):
        register(new_buyer, client, name, account)
    send_correction(browsers[last], last)
    kept, gone = (subscription.id for subscription in all_rows(new_buyer.client.application, Subscription))

    run_transaction(new_buyer.client.application, lambda connection: merge.merge(connection, kept, gone))
    for client in browsers.values():
        client.get("/welcome")
    new_buyer.deliver_handoffs()

    assert (enter_url(browsers["ada"]), enter_url(browsers["bob"])) == urls


@pytest.mark.parametrize("other", ["refused", "not made"])
@pytest.mark.parametrize("owner", ["ada", "bob"])
def test_merge_keeps_unnamed_account_with_its_owner(new_buyer: NewBuyer, owner: str, other: str) -> None:
    app = new_buyer.client.application
    browsers = {"ada": new_buyer.client, "bob": app.test_client()}
    for name, client in browsers.items():
        register(new_buyer, client, name, "made" if name == owner else other)
    last = next(name for name in browsers if name != owner)
    send_correction(browsers[last], last)
    kept, gone = (subscription.id for subscription in all_rows(app, Subscription))

    run_transaction(app, lambda connection: merge.merge(connection, kept, gone))
    new_buyer.deliver_handoffs()

    assert [registration.email for registration in all_rows(app, Registration)] == [f"{owner}@gmail.com"]
    for client in browsers.values():
        client.get("/welcome")
    assert enter_url(browsers[last]) == "/welcome"


@pytest.mark.parametrize("erased", ["ada", "bob"])
def test_merge_does_not_pass_on_erased_owners_account(new_buyer: NewBuyer, erased: str) -> None:
    app = new_buyer.client.application
    browsers = {"ada": new_buyer.client, "bob": app.test_client()}
    for name, client in browsers.items():
        register(new_buyer, client, name, name if name == erased else "made")
    with app.app_context():
        erasure.erase(next(row.id for row in all_rows(app, Registration) if erased in row.email), "operator:alice")
    kept, gone = (subscription.id for subscription in all_rows(app, Subscription))

    run_transaction(app, lambda connection: merge.merge(connection, kept, gone))
    for client in browsers.values():
        client.get("/welcome")

    assert [enter_url(client) for client in browsers.values()] == ["/welcome", "/welcome"]
    new_buyer.deliver_handoffs(url=f"{URL}other", reference="other")
    assert [enter_url(client) for name, client in browsers.items() if name != erased] == [f"{URL}other"]


def test_merge_keeps_account_without_registration(
    new_buyer: NewBuyer,
) -> None:
    app = new_buyer.client.application
    register(new_buyer, new_buyer.client, "ada", "not made")
    purchase = new_buyer.sandbox.marketplace.buy(factories.order())
    new_buyer.client.application.test_client().post(
        "/", data={TOKEN_FIELD: new_buyer.sandbox.marketplace.mint_token(purchase)}
    )
    kept, gone = (subscription.id for subscription in all_rows(app, Subscription))
    account = {"subscription_id": gone, "url": f"{URL}made", "answered_at": datetime.now(UTC)}
    run_transaction(app, lambda connection: connection.execute(insert(Account).values(**account)))

    run_transaction(app, lambda connection: merge.merge(connection, kept, gone))

    assert [account.url for account in all_rows(app, Account)] == [f"{URL}made"]


@pytest.mark.parametrize("is_refused_another", [False, True])
def test_registration_during_outage_cannot_take_account(new_buyer: NewBuyer, is_refused_another: bool) -> None:
    app, marketplace = new_buyer.client.application, new_buyer.sandbox.marketplace
    purchase = new_buyer.register()
    new_buyer.deliver_handoffs()
    if is_refused_another:
        new_buyer.submit_form(account="existing", existing_account="acme-7")
        new_buyer.deliver_handoffs(refused="not_found")
    bob = app.test_client()
    marketplace.change_faults(aws_down=True)
    bob.post("/", data={TOKEN_FIELD: marketplace.mint_token(purchase)})
    form = csrf_token(bob.get("/signup").text)
    bob.post("/signup", data={**ANSWERS, "email": "bob@gmail.com", "csrf_token": form})
    marketplace.change_faults(aws_down=False)

    with app.app_context(), time_passes(seconds=5):
        assert retry_pending.resolve_next()
        new_buyer.deliver_handoffs()

    assert [registration.email for registration in all_rows(app, Registration)] == [ANSWERS["email"]]
    assert enter_url(bob) == "/welcome"
    assert enter_url(new_buyer.client) == "https://app.acme.example/login"

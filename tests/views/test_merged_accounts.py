"""Two people who registered for what turned out to be one purchase: nobody is let into the other's account."""

from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert

from app.models import Account, Registration, Subscription
from app.services.events import merge
from app.services.signup import erasure, retry_pending
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.new_buyer import NewBuyer, time_passes
from tests.support.page_checks import csrf_token
from tests.support.personal_data import run_transaction
from tests.support.stored_rows import all_rows

pytestmark = on_sqlite
URL = "https://app.acme.example/t/"
# What the product answers where it names no account.
NAMELESS: dict[str, dict[str, Any]] = {
    "made": {},
    "refused": {"refused": "not_found"},
    "not made": {"status": 410},
}


def way_in(client: FlaskClient) -> str:
    """Return where the door leads, without what is asked there."""
    return str(client.get("/enter").headers["Location"].partition("?")[0])


def comes(newcomer: NewBuyer, client: FlaskClient, name: str, account: str) -> None:
    """Let somebody buy and register, and the product make that account, or answer what names none."""
    purchase = newcomer.sandbox.marketplace.buy(factories.order())
    client.post("/", data={TOKEN_FIELD: newcomer.sandbox.marketplace.mint_token(purchase)})
    form = csrf_token(client.get("/signup").text)
    client.post("/signup", data={**ANSWERS, "email": f"{name}@gmail.com", "csrf_token": form})
    newcomer.deliver_handoffs(**NAMELESS.get(account, {"url": URL + account, "reference": account}))


def sends_again(client: FlaskClient, name: str) -> None:
    """Let somebody correct their phone number, so that their answers are the latest."""
    form = csrf_token(client.get("/signup?change=").text)
    client.post(
        "/signup",
        data={**ANSWERS, "email": f"{name}@gmail.com", "phone": "+1 555 010 0000", "csrf_token": form},
    )


@pytest.mark.parametrize(
    ("accounts", "ways"),
    [(("ada", "bob"), (URL + "ada", "/welcome")), (("not made", "bob"), ("/welcome", URL + "bob"))],
)
@pytest.mark.parametrize("last", ["ada", "bob"])
def test_merge_keeps_account_with_its_owner(
    new_buyer: NewBuyer, accounts: tuple[str, str], ways: tuple[str, str], last: str
) -> None:
    browsers = {"ada": new_buyer.client, "bob": new_buyer.client.application.test_client()}
    for (name, client), account in zip(browsers.items(), accounts, strict=True):
        comes(new_buyer, client, name, account)
    sends_again(browsers[last], last)
    kept, gone = (subscription.id for subscription in all_rows(new_buyer.client.application, Subscription))

    run_transaction(new_buyer.client.application, lambda connection: merge.merge(connection, kept, gone))
    for client in browsers.values():
        client.get("/welcome")
    new_buyer.deliver_handoffs()

    assert (way_in(browsers["ada"]), way_in(browsers["bob"])) == ways


@pytest.mark.parametrize("other", ["refused", "not made"])
@pytest.mark.parametrize("owner", ["ada", "bob"])
def test_merge_keeps_unnamed_account_with_its_owner(new_buyer: NewBuyer, owner: str, other: str) -> None:
    app = new_buyer.client.application
    browsers = {"ada": new_buyer.client, "bob": app.test_client()}
    for name, client in browsers.items():
        comes(new_buyer, client, name, "made" if name == owner else other)
    last = next(name for name in browsers if name != owner)
    sends_again(browsers[last], last)
    kept, gone = (subscription.id for subscription in all_rows(app, Subscription))

    run_transaction(app, lambda connection: merge.merge(connection, kept, gone))
    new_buyer.deliver_handoffs()

    assert [registration.email for registration in all_rows(app, Registration)] == [f"{owner}@gmail.com"]
    for client in browsers.values():
        client.get("/welcome")
    assert way_in(browsers[last]) == "/welcome"


@pytest.mark.parametrize("erased", ["ada", "bob"])
def test_merge_does_not_pass_on_erased_owners_account(new_buyer: NewBuyer, erased: str) -> None:
    app = new_buyer.client.application
    browsers = {"ada": new_buyer.client, "bob": app.test_client()}
    for name, client in browsers.items():
        comes(new_buyer, client, name, name if name == erased else "made")
    with app.app_context():
        erasure.erase(next(each.id for each in all_rows(app, Registration) if erased in each.email), "operator:alice")
    kept, gone = (subscription.id for subscription in all_rows(app, Subscription))

    run_transaction(app, lambda connection: merge.merge(connection, kept, gone))
    for client in browsers.values():
        client.get("/welcome")

    assert [way_in(client) for client in browsers.values()] == ["/welcome", "/welcome"]
    new_buyer.deliver_handoffs(url=f"{URL}other", reference="other")
    assert [way_in(client) for name, client in browsers.items() if name != erased] == [f"{URL}other"]


def test_merge_keeps_account_without_registration(
    new_buyer: NewBuyer,
) -> None:
    app = new_buyer.client.application
    comes(new_buyer, new_buyer.client, "ada", "not made")
    purchase = new_buyer.sandbox.marketplace.buy(factories.order())
    new_buyer.client.application.test_client().post(
        "/", data={TOKEN_FIELD: new_buyer.sandbox.marketplace.mint_token(purchase)}
    )
    kept, gone = (subscription.id for subscription in all_rows(app, Subscription))
    made = {"subscription_id": gone, "url": f"{URL}made", "answered_at": datetime.now(UTC)}
    run_transaction(app, lambda connection: connection.execute(insert(Account).values(**made)))

    run_transaction(app, lambda connection: merge.merge(connection, kept, gone))

    assert [account.url for account in all_rows(app, Account)] == [f"{URL}made"]


@pytest.mark.parametrize("is_refused_another", [False, True])
def test_registration_during_outage_cannot_take_account(new_buyer: NewBuyer, is_refused_another: bool) -> None:
    app, world = new_buyer.client.application, new_buyer.sandbox.marketplace
    purchase = new_buyer.register()
    new_buyer.deliver_handoffs()
    if is_refused_another:
        new_buyer.submit_form(account="existing", existing_account="acme-7")
        new_buyer.deliver_handoffs(refused="not_found")
    bob = app.test_client()
    world.faults = world.faults.model_copy(update={"aws_down": True})
    bob.post("/", data={TOKEN_FIELD: world.mint_token(purchase)})
    form = csrf_token(bob.get("/signup").text)
    bob.post("/signup", data={**ANSWERS, "email": "bob@gmail.com", "csrf_token": form})
    world.faults = world.faults.model_copy(update={"aws_down": False})

    with app.app_context(), time_passes(seconds=5):
        assert retry_pending.resolve_next()
        new_buyer.deliver_handoffs()

    assert [registration.email for registration in all_rows(app, Registration)] == [ANSWERS["email"]]
    assert way_in(bob) == "/welcome"
    assert way_in(new_buyer.client) == "https://app.acme.example/login"

"""Two people who registered for what turned out to be one purchase: nobody is let into the other's account."""

from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert

from app.models import Account, Registration, Subscription
from app.services import linking, merging, privacy
from tests import factories
from tests.databases import on_sqlite
from tests.factories import ANSWERS, TOKEN
from tests.pages import csrf_token
from tests.services.people import write
from tests.stored import stored
from tests.views.way import Newcomer, later

pytestmark = on_sqlite
URL = "https://app.acme.example/t/"


def way_in(client: FlaskClient) -> str:
    """Return where the door leads, without what is asked there."""
    return str(client.get("/enter").headers["Location"].partition("?")[0])


def comes(newcomer: Newcomer, client: FlaskClient, name: str, account: str | None) -> None:
    """Let somebody buy and register, and the product make that account, one that it does not name, or none."""
    purchase = newcomer.sandbox.world.buy(factories.order())
    client.post("/", data={TOKEN: newcomer.sandbox.world.mint(purchase)})
    form = csrf_token(client.get("/signup").text)
    client.post("/signup", data={**ANSWERS, "email": f"{name}@gmail.com", "csrf_token": form})
    if account:
        newcomer.is_handed_off(url=URL + account, reference=account)
    else:
        newcomer.is_handed_off(410 if account is None else 200)


@pytest.mark.parametrize(
    ("accounts", "ways"),
    [(("ada", "bob"), (URL + "ada", "/welcome")), ((None, "bob"), ("/welcome", URL + "bob"))],
)
@pytest.mark.parametrize("last", ["ada", "bob"])
def test_the_account_stays_with_whom_it_was_made_for(
    newcomer: Newcomer, accounts: tuple[str | None, str], ways: tuple[str, str], last: str
) -> None:
    browsers = {"ada": newcomer.client, "bob": newcomer.client.application.test_client()}
    for (name, client), account in zip(browsers.items(), accounts, strict=True):
        comes(newcomer, client, name, account)
    form = csrf_token(browsers[last].get("/signup?change=").text)
    answers = {**ANSWERS, "email": f"{last}@gmail.com", "phone": "+1 555 010 0000", "csrf_token": form}
    browsers[last].post("/signup", data=answers)
    kept, gone = (subscription.id for subscription in stored(newcomer.client.application, Subscription))

    write(newcomer.client.application, lambda connection: merging.merge(connection, kept, gone))
    for client in browsers.values():
        client.get("/welcome")
    newcomer.is_handed_off()

    assert (way_in(browsers["ada"]), way_in(browsers["bob"])) == ways


@pytest.mark.parametrize("erased", ["ada", "bob"])
def test_the_account_of_somebody_who_was_erased_is_not_the_others(newcomer: Newcomer, erased: str) -> None:
    app = newcomer.client.application
    browsers = {"ada": newcomer.client, "bob": app.test_client()}
    for name, client in browsers.items():
        comes(newcomer, client, name, name if name == erased else "")
    with app.app_context():
        privacy.erase(next(each.id for each in stored(app, Registration) if erased in each.email), "operator:alice")
    kept, gone = (subscription.id for subscription in stored(app, Subscription))

    write(app, lambda connection: merging.merge(connection, kept, gone))
    for client in browsers.values():
        client.get("/welcome")

    assert [way_in(client) for client in browsers.values()] == ["/welcome", "/welcome"]
    newcomer.is_handed_off(url=f"{URL}other", reference="other")
    assert [way_in(client) for name, client in browsers.items() if name != erased] == [f"{URL}other"]


def test_the_account_of_a_purchase_that_nobody_had_registered_for_is_whose_it_turns_out_to_be(
    newcomer: Newcomer,
) -> None:
    app = newcomer.client.application
    comes(newcomer, newcomer.client, "ada", None)
    purchase = newcomer.sandbox.world.buy(factories.order())
    newcomer.client.application.test_client().post("/", data={TOKEN: newcomer.sandbox.world.mint(purchase)})
    kept, gone = (subscription.id for subscription in stored(app, Subscription))
    made = {"subscription_id": gone, "url": f"{URL}made", "answered_at": datetime.now(UTC)}
    write(app, lambda connection: connection.execute(insert(Account).values(**made)))

    write(app, lambda connection: merging.merge(connection, kept, gone))

    assert [account.url for account in stored(app, Account)] == [f"{URL}made"]


def test_who_registers_while_aws_is_down_takes_over_no_account_that_the_product_did_not_name(
    newcomer: Newcomer,
) -> None:
    app, world = newcomer.client.application, newcomer.sandbox.world
    purchase = newcomer.registers()
    newcomer.is_handed_off()
    bob = app.test_client()
    world.faults = world.faults.model_copy(update={"aws_down": True})
    bob.post("/", data={TOKEN: world.mint(purchase)})
    form = csrf_token(bob.get("/signup").text)
    bob.post("/signup", data={**ANSWERS, "email": "bob@gmail.com", "csrf_token": form})
    world.faults = world.faults.model_copy(update={"aws_down": False})

    with app.app_context(), later(seconds=5):
        assert linking.link_next()
        newcomer.is_handed_off()

    assert [registration.email for registration in stored(app, Registration)] == [ANSWERS["email"]]
    assert way_in(bob) == "/welcome"
    assert way_in(newcomer.client) == "https://app.acme.example/login"

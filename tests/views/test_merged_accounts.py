"""Two people who registered for what turned out to be one purchase: nobody is let into the other's account."""

import pytest
from flask.testing import FlaskClient

from app.models import Subscription
from app.services import merging
from tests import factories
from tests.databases import on_sqlite
from tests.factories import ANSWERS, TOKEN
from tests.pages import csrf_token
from tests.services.people import write
from tests.stored import stored
from tests.views.way import Newcomer

pytestmark = on_sqlite
URL = "https://app.acme.example/t/"


def way_in(client: FlaskClient) -> str:
    """Return where the door leads, without what is asked there."""
    return str(client.get("/enter").headers["Location"].partition("?")[0])


def comes(newcomer: Newcomer, client: FlaskClient, name: str, account: str | None) -> None:
    """Let somebody buy and register, and the product make that account or none."""
    purchase = newcomer.sandbox.world.buy(factories.order())
    client.post("/", data={TOKEN: newcomer.sandbox.world.mint(purchase)})
    form = csrf_token(client.get("/signup").text)
    client.post("/signup", data={**ANSWERS, "email": f"{name}@gmail.com", "csrf_token": form})
    if account:
        newcomer.is_handed_off(url=URL + account, reference=account)
    else:
        newcomer.is_handed_off(410)


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

"""The way into an account that is there already: nothing that comes later takes it away, or gives it to others."""

import pytest
import time_machine
from flask.testing import FlaskClient

from sandbox.purchases import Purchase
from tests import factories
from tests.databases import on_sqlite
from tests.factories import ANSWERS, TOKEN
from tests.pages import csrf_token
from tests.views import buyers
from tests.views.way import Newcomer, later

pytestmark = on_sqlite
URL = "https://app.acme.example/t/juniper"
BOB = {**ANSWERS, "full_name": "Bob Babbage", "email": "bob@gmail.com"}


def colleague_of(newcomer: Newcomer, purchase: Purchase) -> FlaskClient:
    """Return the browser of somebody else who comes with the same purchase."""
    other = newcomer.client.application.test_client()
    other.post("/", data={TOKEN: newcomer.sandbox.world.mint(purchase)})
    return other


@pytest.mark.parametrize("first", [{"url": URL, "reference": "juniper-1"}, {}])
@pytest.mark.parametrize("answer", [{"refused": "not_found"}, {"status": 410}])
def test_nobody_else_takes_an_account_over_because_its_owner_was_refused_another(
    newcomer: Newcomer, first: dict[str, str], answer: dict[str, str | int]
) -> None:
    purchase = newcomer.registers()
    newcomer.is_handed_off(**first)  # type: ignore[arg-type]
    colleague = colleague_of(newcomer, purchase)
    form = csrf_token(newcomer.client.get("/signup?change=").text)
    newcomer.sends(account="existing", existing_account="acme-7")
    newcomer.is_handed_off(**answer)  # type: ignore[arg-type]

    shown = colleague.get("/signup?change=")
    sent = colleague.post("/signup", data={**BOB, "csrf_token": form})
    newcomer.is_handed_off(url=URL, reference="juniper-1")

    assert shown.headers["Location"] == "/welcome"
    assert sent.status_code == 409
    assert colleague.get("/enter").headers["Location"] == "/welcome"


def test_nobody_else_takes_a_registration_over_that_its_product_cannot_be_told_of_yet(newcomer: Newcomer) -> None:
    world, other = newcomer.sandbox.world, newcomer.client.application.test_client()
    token = world.mint(world.buy(factories.order()))
    world.faults = world.faults.model_copy(update={"aws_down": True})
    for browser in (newcomer.client, other):
        browser.post("/", data={TOKEN: token})
    form = csrf_token(other.get("/signup").text)
    newcomer.sends()

    shown = other.get("/signup?change=")
    sent = other.post("/signup", data={**BOB, "csrf_token": form})

    assert shown.headers["Location"] == "/welcome"
    assert sent.status_code == 409


def test_who_may_not_choose_another_account_finds_the_sign_in_page(newcomer: Newcomer) -> None:
    purchase = newcomer.registers()
    newcomer.is_handed_off(url=URL, reference="juniper-1")
    newcomer.sends(account="existing", existing_account="acme-7")
    newcomer.is_handed_off(refused="not_found")

    page = colleague_of(newcomer, purchase).get("/welcome").text

    assert "Choose another account" not in page
    assert 'href="https://app.acme.example/login"' in page
    assert "Choose another account" in newcomer.sees()


def test_a_corrected_phone_number_that_the_product_does_not_take_leaves_the_way_in(newcomer: Newcomer) -> None:
    newcomer.registers()
    newcomer.is_handed_off(url=URL, reference="juniper-1")
    newcomer.sends(phone="+1 555 010 0000")

    newcomer.is_handed_off(410)

    assert newcomer.refresh() == "1; url=/enter"
    assert newcomer.client.get("/enter").headers["Location"].startswith(URL)


def test_a_purchase_of_which_much_was_told_still_has_its_way_in(newcomer: Newcomer) -> None:
    purchase = newcomer.registers()
    newcomer.is_handed_off(url=URL, reference="juniper-1")
    buyer = buyers.Buyer(newcomer.client, purchase)
    for month in range(11):
        for kind, day in ((buyers.DEPROVISIONED, 1), (buyers.UPDATED, 2)):
            buyer.is_told(kind, buyers.NOW.replace(year=2027, month=month + 1, day=day))
    newcomer.is_handed_off()

    location = newcomer.client.get("/enter").headers["Location"]

    assert location.startswith(URL)


def test_a_double_click_whose_first_press_is_kept_last_still_leads_in(newcomer: Newcomer) -> None:
    with later(minutes=-1):
        newcomer.buys()
    form = {**ANSWERS, "csrf_token": csrf_token(newcomer.client.get("/signup").text)}
    first_press = newcomer.client.application.test_client()
    session = newcomer.client.get_cookie("session")
    assert session
    first_press.set_cookie(session.key, session.value)

    newcomer.client.post("/signup", data=form)
    with later(seconds=-1):
        first_press.post("/signup", data=form)
    newcomer.is_handed_off(url=URL)

    assert newcomer.product.types == ["registration.completed"]
    assert newcomer.client.get("/enter").headers["Location"].startswith(URL)


def test_answers_of_another_are_told_apart_whatever_the_clocks_say(newcomer: Newcomer) -> None:
    with time_machine.travel(buyers.NOW, tick=False):
        purchase = newcomer.registers(account="existing", existing_account="acme-7")
        newcomer.is_handed_off(refused="not_found")
        colleague = colleague_of(newcomer, purchase)
        form = csrf_token(colleague.get("/signup?change=").text)

        colleague.post("/signup", data={**BOB, "csrf_token": form})
        newcomer.is_handed_off(url=URL)

        assert newcomer.client.get("/enter").headers["Location"] == "/welcome"
        assert colleague.get("/enter").headers["Location"].startswith(URL)


def test_who_was_joined_with_another_account_is_not_led_to_the_one_before(newcomer: Newcomer) -> None:
    newcomer.registers()
    newcomer.is_handed_off(url=URL, reference="juniper-1")
    newcomer.sends(account="existing", existing_account="acme-7")
    newcomer.is_handed_off(reference="acme-7")

    location = newcomer.client.get("/enter").headers["Location"]

    assert location.startswith("https://app.acme.example/login?")


def test_who_registered_before_the_product_took_hand_offs_is_let_into_what_it_has_made_since(
    newcomer: Newcomer,
) -> None:
    receivers = newcomer.client.application.extensions["receivers"]
    before = receivers.copy()
    receivers.clear()
    purchase = newcomer.registers()
    receivers.update(before)
    buyer = buyers.Buyer(newcomer.client, purchase)

    buyer.is_told(buyers.UPDATED)
    meanwhile = newcomer.client.get("/enter").headers["Location"]
    newcomer.is_handed_off(url=URL, reference="juniper-1")

    assert newcomer.product.types == ["subscription.activated"]
    assert meanwhile == "/welcome"
    assert newcomer.client.get("/enter").headers["Location"].startswith(URL)


def test_who_can_go_in_is_told_what_to_open(newcomer: Newcomer) -> None:
    purchase = newcomer.registers()
    newcomer.is_handed_off(url=URL, reference="juniper-7f3k")
    newcomer.client.get("/enter")
    buyers.Buyer(newcomer.client, purchase).has(status="active")

    assert "Open Acme Insights and start using it." in newcomer.sees()
